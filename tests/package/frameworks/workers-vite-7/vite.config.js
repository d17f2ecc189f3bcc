// its own format for workers has no import()
export default { worker: { format: "es" } };

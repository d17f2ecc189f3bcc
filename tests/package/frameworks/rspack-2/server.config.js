export default { entry: "./server.js", target: "node", output: { path: `${import.meta.dirname}/server` } };

/** A module of `omise-linked-accounts`, compiled, as workerd and edge runtimes import it: what the option `wasm` takes. */
declare const module: WebAssembly.Module;
export default module;

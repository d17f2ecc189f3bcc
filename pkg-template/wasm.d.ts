/** The module of `omise-linked-accounts`, compiled, as workerd and edge runtimes import it. The client finds it by itself. */
declare const module: WebAssembly.Module;
export default module;

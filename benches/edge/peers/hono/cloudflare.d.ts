declare module "cloudflare:workers" {
  /** The bindings, outside of a request too. */
  export const env: import("./env.ts").Env;
}

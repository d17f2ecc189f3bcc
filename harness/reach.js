// How harness/stack.ts reaches into objects: by a request to the Worker, at an address that is none of its own.

const REACH = "http://objects.invalid/";

/**
 * @typedef {object} Reach
 * @property {"CUSTOMER" | "AUDIT_LOG"} binding
 * @property {string} [name]
 * @property {string} [id]
 * @property {string} method
 * @property {unknown[]} values
 */

/**
 * Calls a method of an object, and says what came of it.
 * @param {Reach} reach
 * @param {Env} env
 */
async function reach({ binding, name = "", id, method, values }, env) {
  const namespace = env[binding];
  const stub = namespace.get(id === undefined ? namespace.idFromName(name) : namespace.idFromString(id));
  try {
    // @ts-expect-error: the methods of the entry's classes
    return { done: (await stub[method](...values)) ?? null };
  } catch (error) {
    return { failed: String(error) };
  }
}

/**
 * The Worker's handler, which takes these requests too.
 * @param {(request: Request, env: Env, ctx: ExecutionContext) => Promise<Response>} fetch
 */
export const reaching =
  (fetch) =>
  /**
   * @param {Request} request
   * @param {Env} env
   * @param {ExecutionContext} ctx
   */
  async (request, env, ctx) => {
    if (!request.url.startsWith(REACH)) return fetch(request, env, ctx);
    return Response.json(await reach(await request.json(), env));
  };

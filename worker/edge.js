// The edge's one entry: a request goes to Rust, and is answered here where the instance died under it.

import { log, run } from "./rescue.js";

/**
 * @param {Request} request
 * @param {Env} env
 * @param {ExecutionContext} ctx
 */
export async function fetch(request, env, ctx) {
  const answer = answerTo(request, env, ctx);
  // A client that hangs up leaves nothing half done: what was begun goes on to its end.
  ctx.waitUntil(answer);
  return answer;
}

/**
 * @param {Request} request
 * @param {Env} env
 * @param {ExecutionContext} ctx
 */
async function answerTo(request, env, ctx) {
  const started = Date.now();
  let detail = "no answer could be built";
  try {
    const response = await run((rust) => rust.fetch(request, env, ctx));
    // Without an id it is what the glue says when Rust could not build an answer.
    if (response.headers.has("X-Request-Id")) return response;
  } catch (error) {
    detail = /** @type {Error} */ (error).message;
  }
  const requestId = crypto.randomUUID().replaceAll("-", "");
  log({ request_id: requestId, part: "edge", route: "none" }, detail, started);
  return failure(requestId, Date.now() - started, corsHeaders(request, env));
}

/**
 * The Worker's answer to `Reason::Internal`; a test compares the two.
 * @param {string} requestId
 * @param {number} ms
 * @param {Record<string, string>} cors
 */
function failure(requestId, ms, cors) {
  const body = {
    object: "error",
    location: "https://www.omise.co/api-errors#internal-error",
    code: "internal_error",
    message: "something went wrong here",
    reason: "internal",
    request_id: requestId,
    retryable: true,
    issues: [],
  };
  return new Response(JSON.stringify(body), {
    status: 500,
    headers: {
      "Cache-Control": "no-store",
      "Content-Type": "application/json; charset=utf-8",
      "Referrer-Policy": "no-referrer",
      // What it was spent on went with the instance.
      "Server-Timing": `total;dur=${ms}`,
      Vary: "Origin",
      "X-Content-Type-Options": "nosniff",
      "X-Request-Id": requestId,
      ...cors,
    },
  });
}

/**
 * @param {Request} request
 * @param {Env} env
 * @returns {Record<string, string>}
 */
function corsHeaders(request, env) {
  const origin = request.headers.get("Origin");
  const allowed = (env.ALLOWED_ORIGINS ?? "").split(",").map((item) => item.trim());
  if (!origin || !allowed.includes(origin)) return {};
  return {
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Expose-Headers": "X-Request-Id, Retry-After, Idempotent-Replayed, Date",
  };
}

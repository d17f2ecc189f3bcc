// What the Worker in Rust asks of the platform that takes many steps. Each step would be a call from WebAssembly, and each text one
// that is copied: on a busy Worker that cost more than all of its rules.

/**
 * Asks another server, once, without redirects and caches, and takes at most `cap` bytes of its answer; `undefined` where there is none
 * after `ms` milliseconds.
 *
 * The timer is cleared: those of `AbortSignal.timeout` stay, and at ten thousand of them an object can set no other.
 * @param {string} method
 * @param {string} url
 * @param {string} headers Lines of `name: value`.
 * @param {string | undefined} body
 * @param {number} ms
 * @param {number} cap
 */
export async function exchange(method, url, headers, body, ms, cap) {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), ms);
  const init = /** @type {const} */ ({ redirect: "manual", cache: "no-store" });
  try {
    const response = await fetch(url, {
      ...init,
      method,
      headers: entries(headers),
      body: body ?? null,
      signal: over.signal,
    });
    return {
      status: response.status,
      retryAfter: response.headers.get("Retry-After") ?? undefined,
      body: await read(response, cap),
    };
  } catch (error) {
    if (over.signal.aborted) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Reads a body of at most `cap` bytes; `undefined` where there are more.
 *
 * HTTP ends a body where its length header says (RFC 9112 §6.3), so one that says so is taken in one piece. Others are counted as they
 * come: those without the header, and those whose length is that of something compressed.
 * @param {Request | Response} message
 * @param {number} cap
 * @returns {Promise<Uint8Array | undefined>}
 */
export async function read(message, cap) {
  const { headers, body } = message;
  const length = Number(headers.get("Content-Length") ?? Number.NaN);
  if (length > cap) return undefined;
  if (length >= 0 && headers.get("Content-Encoding") === null) {
    const whole = new Uint8Array(await message.arrayBuffer());
    return whole.length > cap ? undefined : whole;
  }
  const parts = [];
  let size = 0;
  for await (const part of body ?? []) {
    size += part.length;
    // leaving cancels the rest
    if (size > cap) return undefined;
    parts.push(part);
  }
  const whole = new Uint8Array(size);
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}

/**
 * @param {number} status
 * @param {string} headers Lines of `name: value`.
 * @param {string | undefined} body
 */
export function respond(status, headers, body) {
  return new Response(body, { status, headers: entries(headers) });
}

/** @param {string} headers */
function entries(headers) {
  const pairs = headers.split("\n").map((line) => {
    const end = line.indexOf(": ");
    return [line.slice(0, end), line.slice(end + 2)];
  });
  return Object.fromEntries(pairs);
}

/**
 * Calls a customer's object, for at most `ms` milliseconds and as long as the client is there: what it answers, or `undefined`. The object
 * goes on by itself.
 * @param {Env} env
 * @param {string} name
 * @param {string} locationHint
 * @param {string | undefined} subject
 * @param {string | undefined} operator
 * @param {string} requestId
 * @param {string} text
 * @param {number} ms
 * @param {AbortSignal} signal
 */
export async function callCustomer(env, name, locationHint, subject, operator, requestId, text, ms, signal) {
  const { promise: over, resolve } = Promise.withResolvers();
  const stub = env.CUSTOMER.get(env.CUSTOMER.idFromName(name), { locationHint });
  const timer = setTimeout(resolve, ms);
  const gone = () => {
    resolve(undefined);
    stub.drop(requestId).catch(() => {});
  };
  signal.addEventListener("abort", gone);
  try {
    const answer =
      subject === undefined ? stub.system(operator, requestId, text) : stub.ask(subject, requestId, text);
    return await Promise.race([answer, over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", gone);
  }
}

/**
 * @param {Env} env
 * @param {string} day
 * @param {string} customer
 * @param {string | undefined} subject
 * @param {string} incarnation
 * @param {string} rows
 */
export async function append(env, day, customer, subject, incarnation, rows) {
  await env.AUDIT_LOG.get(env.AUDIT_LOG.idFromName(day)).append(customer, subject, incarnation, rows);
}

/**
 * @param {Env} env
 * @param {string} day
 * @param {number | undefined} before
 * @param {number} limit
 */
export async function auditPage(env, day, before, limit) {
  return await env.AUDIT_LOG.get(env.AUDIT_LOG.idFromName(day)).page(before, limit);
}

/**
 * What a step of a customer's object comes to: the call is answered.
 * @param {number} status
 * @param {string} headers
 * @param {string | undefined} body
 * @param {string | undefined} reason
 * @param {number} upstreamCalls
 * @param {number} upstreamMs
 */
export function answered(status, headers, body, reason, upstreamCalls, upstreamMs) {
  return { answer: { status, headers, body, reason, upstreamCalls, upstreamMs } };
}

/**
 * The account is to be read, and the call made again, after `ms` milliseconds at the latest.
 * @param {string} read
 * @param {number} ms
 */
export function toRead(read, ms) {
  return { read, ms };
}

/**
 * The call is to be made again where there is news, and after `ms` milliseconds at the latest.
 * @param {number} ms
 */
export function toWait(ms) {
  return { ms };
}

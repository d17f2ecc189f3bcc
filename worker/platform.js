// What the Worker in Rust asks of the platform that takes many steps. Each step would be a call from WebAssembly, and each text one
// that is copied: on a busy Worker that cost more than all of its rules.

/**
 * Asks another server, once, without redirects and caches, and takes at most `cap` bytes of its answer.
 * @param {string} method
 * @param {string} url
 * @param {string} headers Lines of `name: value`.
 * @param {string | undefined} body
 * @param {AbortSignal} signal
 * @param {number} cap
 */
export async function exchange(method, url, headers, body, signal, cap) {
  const init = /** @type {const} */ ({ redirect: "manual", cache: "no-store" });
  const response = await fetch(url, {
    ...init,
    method,
    headers: entries(headers),
    body: body ?? null,
    signal,
  });
  return {
    status: response.status,
    retryAfter: response.headers.get("Retry-After") ?? undefined,
    body: await read(response, cap),
  };
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

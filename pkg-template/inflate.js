// A module's bytes, from the text that they travel as inside JavaScript.
//
// `cargo xtask build` writes this and the text into `wasm/*-bytes.js`, so that a page loads it with the module, not before.

/**
 * @param {string} text the bytes, as zlib compresses them, in Base64
 * @returns {Promise<ArrayBuffer>}
 */
export async function inflate(text) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("there is no DecompressionStream here: give the option wasm");
  }
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  // a loop: `Uint8Array.from` takes six times as long
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  // not by a Blob, which goes through another process, and has no stream() in jsdom
  const stream = /** @type {ReadableStream<BufferSource>} */ (new Response(bytes).body);
  return new Response(stream.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

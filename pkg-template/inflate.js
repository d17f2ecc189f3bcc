// A module's bytes, from the text that they travel as inside JavaScript.
//
// `cargo xtask build` writes this and the text into `wasm/*-bytes.js`, so that a page loads it with the module, not before.

/**
 * @param {string} text the bytes, as zlib compresses them, in Base64
 * @returns {Promise<BufferSource>}
 */
export async function inflate(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  // a loop: `Uint8Array.from` takes six times as long
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  if (typeof DecompressionStream === "undefined") {
    // Bun before 1.3.3, and Jest with jsdom
    const zlib = globalThis.process?.getBuiltinModule?.("node:zlib");
    if (zlib) return zlib.inflateSync(bytes);
    throw new Error("there is no DecompressionStream here: give the option wasm");
  }
  // not by a Blob, which goes through another process
  const stream = /** @type {ReadableStream<BufferSource>} */ (new Response(bytes).body);
  return new Response(stream.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

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
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Response(
    new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")),
  ).arrayBuffer();
}

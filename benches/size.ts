// What a browser loads of the package once Vite has built a page that uses it: gzip -9, by what it is for. Prints JSON.
//
// `cargo xtask size` runs this on the package that it built.

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDER = join(ROOT, "target/size");

const PAGES = {
  client: `
    import { createClient } from "omise-linked-accounts";
    globalThis.links = createClient({ endpoint: "https://links.shop.example", getToken: () => "" });
  `,
  validate: `
    import { loadValidator } from "omise-linked-accounts/validate";
    globalThis.load = loadValidator;
  `,
};

/** Gzipped bytes. */
interface Sizes {
  /** JavaScript before the first call. */
  critical: number;
  /** The module and its glue. */
  wasm: number;
  /** Other JavaScript of the first call, without words. */
  rest: number;
  /** The largest catalogue. */
  words: number;
}

rmSync(FOLDER, { recursive: true, force: true });
const sizes: Record<string, Sizes> = {};
for (const [name, source] of Object.entries(PAGES)) sizes[name] = await measure(name, source);
console.log(JSON.stringify(sizes));

async function measure(name: string, source: string): Promise<Sizes> {
  const root = join(FOLDER, name);
  mkdirSync(join(root, "node_modules"), { recursive: true });
  symlinkSync(join(ROOT, "target/npm/package"), join(root, "node_modules/omise-linked-accounts"));
  writeFileSync(join(root, "index.html"), '<!doctype html><script type="module" src="/main.js"></script>');
  writeFileSync(join(root, "main.js"), source);
  const { output } = (await build({ root, configFile: false, logLevel: "warn" })) as Rolldown.RolldownOutput;

  const found: Sizes = { critical: 0, wasm: 0, rest: 0, words: 0 };
  const chunks = new Map(
    output.filter((file) => file.type === "chunk").map((chunk) => [chunk.fileName, chunk]),
  );
  const critical = new Set<string>();
  const enter = (file: string) => {
    if (critical.has(file)) return;
    critical.add(file);
    for (const imported of chunks.get(file)?.imports ?? []) enter(imported);
  };
  for (const chunk of chunks.values()) if (chunk.isEntry) enter(chunk.fileName);
  for (const file of output) {
    if (file.type === "chunk") {
      const size = gzipSync(file.code, { level: 9 }).length;
      const has = (folder: string) => file.moduleIds.some((id) => id.includes(folder));
      if (critical.has(file.fileName)) found.critical += size;
      else if (has("/wasm/")) found.wasm += size;
      else if (has("/messages/")) found.words = Math.max(found.words, size);
      else found.rest += size;
    } else if (file.fileName.endsWith(".wasm")) {
      found.wasm += gzipSync(file.source, { level: 9 }).length;
    }
  }
  for (const [what, size] of Object.entries(found))
    if (size === 0 && what !== "rest") throw new Error(`${name}: nothing is ${what}`);
  return found;
}

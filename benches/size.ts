// The bytes of what is shipped: each file, and what a browser loads of the package once Vite has built a page that uses it.
//
// `cargo xtask size` runs this on what it built. It fails where a number is more than a hundredth above its budget in size.json. The
// budgets are what held when they were last written: a change that passes one raises it in the same commit, with its reason.

import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { BESIDE } from "../harness/stack.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDER = join(ROOT, "target/size");
const PACKAGE = join(ROOT, "target/npm/package");
/** How far above its budget a number may be. */
const SLACK = 0.01;

/** The folder of the package's modules, which is named by their content. */
const WASM = join(
  PACKAGE,
  readdirSync(PACKAGE).find((name) => /^wasm-[0-9a-f]{8}$/.test(name)) ?? "no modules",
);
/** A module as a page gets it: inside JavaScript, and its glue. */
const delivered = (name: string) => [`${name}.js`, `${name}-bytes.js`].map((file) => join(WASM, file));

/** Files that are shipped, by product. */
const SHIPPED = {
  client: delivered("client"),
  validate: delivered("validate"),
  webhook: delivered("webhook"),
  worker: ["entry.js", ...BESIDE, "build/index.js", "build/index_bg.wasm"].map((name) =>
    join(ROOT, "worker", name),
  ),
  sandbox: ["entry.js", "build/index.js", "build/index_bg.wasm"].map((name) => join(ROOT, "sandbox", name)),
};

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

const gzip = (bytes: string | Uint8Array) => gzipSync(bytes, { level: 9 }).length;
const row = (what: string, ...numbers: (number | string)[]) =>
  console.log(what.padEnd(48) + numbers.map((number) => String(number).padStart(11)).join(""));

/** What has a budget: gzip -9. */
const measured: Record<string, number> = {};

row("bytes", "raw", "gzip -9", "brotli 11");
for (const [product, files] of Object.entries(SHIPPED)) {
  const sizes = files.map((file) => {
    const bytes = readFileSync(file);
    return { file, raw: bytes.length, gzip: gzip(bytes), brotli: brotliCompressSync(bytes).length };
  });
  for (const { file, raw, gzip, brotli } of sizes) row(`${product}: ${basename(file)}`, raw, gzip, brotli);
  const sum = (of: "raw" | "gzip" | "brotli") => sizes.reduce((total, size) => total + size[of], 0);
  row(`${product}: total`, sum("raw"), sum("gzip"), sum("brotli"));
  measured[product] = sum("gzip");
}

rmSync(FOLDER, { recursive: true, force: true });
for (const [page, source] of Object.entries(PAGES)) {
  const sizes = await measure(page, source);
  measured[`${page} page: JavaScript before the first call`] = sizes.critical;
  measured[`${page} page: module and glue`] = sizes.wasm;
  measured[`${page} page: messages of one language`] = sizes.words;
  if (sizes.rest > 0) measured[`${page} page: other JavaScript of the first call`] = sizes.rest;
}

const file = join(ROOT, "benches/size.json");
const budgets: Record<string, number> = JSON.parse(readFileSync(file, "utf8"));
console.log();
row("gzip -9", "bytes", "budget");
const faults: string[] = [];
for (const name of new Set([...Object.keys(budgets), ...Object.keys(measured)])) {
  const [bytes = 0, budget = 0] = [measured[name], budgets[name]];
  row(name, bytes, budget, budget && `${((bytes / budget - 1) * 100).toFixed(1)} %`);
  if (bytes === 0 || budget === 0) faults.push(`${name}: measured ${bytes}, budget ${budget}`);
  else if (bytes > budget * (1 + SLACK)) faults.push(`${name}: ${bytes - budget} bytes above its budget`);
}
if (faults.length > 0) {
  console.error(
    `\n${faults.join("\n")}\nMake it smaller, or raise the budget in benches/size.json, with the reason in the commit.`,
  );
  process.exitCode = 1;
}

async function measure(name: string, source: string): Promise<Sizes> {
  const root = join(FOLDER, name);
  mkdirSync(join(root, "node_modules"), { recursive: true });
  symlinkSync(PACKAGE, join(root, "node_modules/omise-linked-accounts"));
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
      const size = gzip(file.code);
      const has = (folder: string) => file.moduleIds.some((id) => id.includes(folder));
      if (critical.has(file.fileName)) found.critical += size;
      else if (has("/wasm-")) found.wasm += size;
      else if (has("/messages/")) found.words = Math.max(found.words, size);
      else found.rest += size;
    } else if (file.fileName.endsWith(".wasm")) {
      found.wasm += gzip(file.source);
    }
  }
  for (const [what, size] of Object.entries(found))
    if (size === 0 && what !== "rest") throw new Error(`${name}: nothing is ${what}`);
  return found;
}

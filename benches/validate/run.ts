// `cargo xtask bench --only validate`: the form's rules against valibot and zod, in Node and in Chromium, in one run.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import { build } from "esbuild";
import type { Row } from "./measure.ts";
import { measure } from "./measure.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PACKAGE = join(ROOT, "target/npm/package");
const { CHROMIUM, CHROMIUM_FLAGS = "" } = process.env;

async function inNode(): Promise<Row[]> {
  const { loadValidator } = await import(join(PACKAGE, "validate.node.js"));
  return measure(await loadValidator());
}

async function inChromium(): Promise<Row[]> {
  const bundle = await build({
    stdin: {
      contents: `
        import { measure } from "./benches/validate/measure.ts";
        import { loadValidator } from "/package/validate.js";
        globalThis.result = loadValidator().then(measure);
      `,
      resolveDir: ROOT,
      loader: "ts",
    },
    bundle: true,
    format: "esm",
    minify: true,
    external: ["/package/*"],
    write: false,
  });
  const types: Record<string, string> = { ".js": "text/javascript", ".wasm": "application/wasm" };
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    const body =
      path === "/"
        ? "<!doctype html><script type=module src=/bench.js></script>"
        : path === "/bench.js"
          ? (bundle.outputFiles[0]?.contents ?? "")
          : path.startsWith("/package/")
            ? readFileSync(join(PACKAGE, path.replace("/package/", "")))
            : "";
    response.writeHead(200, {
      "Content-Type": types[extname(path)] ?? "text/html",
      // finer clocks
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    });
    response.end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const browser = await chromium.launch({
    ...(CHROMIUM && { executablePath: CHROMIUM }),
    args: CHROMIUM_FLAGS.split(" ").filter(Boolean),
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction("globalThis.result");
    return await page.evaluate("globalThis.result");
  } finally {
    await browser.close();
    server.close();
  }
}

function show(engine: string, rows: Row[]): void {
  console.log(
    `\n${engine.padEnd(30)}${"validator".padEnd(14)}${"median ns".padStart(10)}${"p99 ns".padStart(10)}${"ours is".padStart(10)}`,
  );
  for (const row of rows) {
    const ours = rows.find((other) => other.case === row.case && other.validator === "ours")?.median ?? 0;
    const ratio = row.validator === "ours" ? "" : `${(row.median / ours).toFixed(2)}×`;
    console.log(
      `${row.case.padEnd(30)}${row.validator.padEnd(14)}${row.median.toFixed(0).padStart(10)}${row.p99.toFixed(0).padStart(10)}${ratio.padStart(10)}`,
    );
  }
}

show(`Node ${process.version}`, await inNode());
show("Chromium", await inChromium());
console.log("\n2.00× is twice as fast as that validator.");

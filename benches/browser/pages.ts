// Pages as a shop would put them online: Vite's production build, compressed ahead, and served from this machine.

import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** The package as `cargo xtask build` leaves it. */
export const PACKAGE = join(ROOT, "target/npm/package");
/** The folder of its modules, which is named by their content. */
export const WASM = join(
  PACKAGE,
  readdirSync(PACKAGE).find((name) => /^wasm-[0-9a-f]{8}$/.test(name)) ?? "none",
);
/** Where pages are built. */
const FOLDER = join(ROOT, "target/bench/pages");

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
};

/** A page's script. */
export interface Script {
  source: string;
  /** Modules that the page has from elsewhere. */
  external?: string[];
}

/** A file of a page, and its bytes over the wire. */
export interface File {
  /** What it was built from, where it is JavaScript. */
  chunk?: Rolldown.OutputChunk;
  plain: Buffer;
  /** At level 9. */
  gzip: Buffer;
  /** At level 11, which is for files that are compressed ahead. */
  brotli: Buffer;
}

/** A page that is built: its files by their names. */
export type Page = Map<string, File>;

/** A module of this folder, as a page's script imports it. */
export const local = (name: string) => JSON.stringify(join(ROOT, "benches/browser", name));

/** Builds the page of `form.html` with a script. */
export async function buildPage(name: string, { source, external = [] }: Script): Promise<Page> {
  const root = join(FOLDER, name);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "node_modules"), { recursive: true });
  symlinkSync(PACKAGE, join(root, "node_modules/omise-linked-accounts"));
  cpSync(join(ROOT, "benches/browser/form.html"), join(root, "index.html"));
  writeFileSync(join(root, "main.ts"), source);
  const { output } = (await build({
    root,
    base: "./",
    configFile: false,
    logLevel: "error",
    build: { write: false, rolldownOptions: { external } },
  })) as Rolldown.RolldownOutput;
  return new Map(
    output.map((file) => {
      const chunk = file.type === "chunk" ? file : undefined;
      const plain = Buffer.from(file.type === "chunk" ? file.code : file.source);
      const compressed = { gzip: gzipSync(plain, { level: 9 }), brotli: brotliCompressSync(plain) };
      return [file.fileName, { ...(chunk && { chunk }), plain, ...compressed }];
    }),
  );
}

/** Serves each page under its name. Nothing may be kept. */
export async function serve(pages: Map<string, Page>): Promise<{ origin: string; close(): void }> {
  const server = createServer((request, response) => {
    const [, name = "", file = ""] = /^\/([^/]*)\/(.*)$/.exec(request.url ?? "") ?? [];
    const found = pages.get(decodeURIComponent(name))?.get(file || "index.html");
    if (!found) {
      response.writeHead(404).end();
      return;
    }
    const brotli = /\bbr\b/.test(String(request.headers["accept-encoding"]));
    const body = brotli ? found.brotli : found.gzip;
    response.writeHead(200, {
      "Content-Type": TYPES[extname(file || "index.html")] ?? "application/octet-stream",
      "Content-Encoding": brotli ? "br" : "gzip",
      "Content-Length": body.length,
      "Cache-Control": "no-store",
      // finer clocks, where they are what is read
      ...(name === "throughput" && {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      }),
    });
    response.end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

// New isolates in a workerd that is up, as Cloudflare makes them: a Worker loads others on demand, by the binding for dynamic Workers.
//
// Such a Worker can be given texts, and neither objects nor D1 nor rate limits, so its first request is a preflight: it reads the
// settings, finds the route and answers, and asks nothing of others.

import assert from "node:assert/strict";
import type { Readable } from "node:stream";
import { Miniflare } from "miniflare";
import { SHOP } from "./seeds.ts";

/** A Worker's modules by name, the entry first. */
export type Modules = Record<string, string | Uint8Array<ArrayBuffer>>;

/** Everything in JSON but WebAssembly, of which there is one file at most. */
const LOADER = `
import wasm from "./module.bin";

export default {
  fetch(request, { LOADER, WORKERS, VARS }) {
    const [, who] = new URL(request.url).pathname.split("/");
    const { mainModule, modules } = WORKERS[who];
    const worker = LOADER.get(request.url, () => ({
      compatibilityDate: "2026-04-01",
      mainModule,
      modules: Object.fromEntries(Object.entries(modules).map(([name, text]) => [name, text ?? { wasm }])),
      env: VARS,
    }));
    return worker.getEntrypoint().fetch(request);
  },
};
`;

/** Makes isolates of these Workers, all with the same text bindings. */
export class Isolates {
  readonly #miniflare: Miniflare;
  #count = 0;

  constructor(workers: Record<string, Modules>, bindings: Record<string, string>) {
    const wasm = Object.values(workers).flatMap((modules) =>
      Object.values(modules).filter((contents) => typeof contents !== "string"),
    );
    const described = Object.entries(workers).map(([who, modules]) => {
      const texts = Object.entries(modules).map(([name, contents]) => [
        name,
        typeof contents === "string" ? contents : null,
      ]);
      return [encodeURI(who), { mainModule: texts[0]?.[0], modules: Object.fromEntries(texts) }];
    });
    this.#miniflare = new Miniflare({
      compatibilityDate: "2026-04-01",
      workerLoaders: { LOADER: {} },
      bindings: { WORKERS: Object.fromEntries(described), VARS: bindings },
      modulesRoot: "/",
      modules: [
        { type: "ESModule", path: "/loader.js", contents: LOADER },
        { type: "Data", path: "/module.bin", contents: wasm[0] ?? new Uint8Array() },
      ],
      // would be fetched from the network otherwise
      cf: false,
      telemetry: { enabled: false },
      handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
        stdout.resume();
        stderr.resume();
      },
    });
  }

  /** Makes one; how long it took until its first answer was here, and its second after that, in milliseconds. */
  async start(who: string): Promise<{ first: number; second: number }> {
    const url = new URL(`/${encodeURI(who)}/${this.#count++}`, await this.#miniflare.ready);
    const ask = async () => {
      const asked = performance.now();
      const response = await fetch(url, { method: "OPTIONS", headers: { Origin: SHOP } });
      await response.arrayBuffer();
      const took = performance.now() - asked;
      assert.equal(response.headers.get("Access-Control-Allow-Origin"), SHOP, `${who}: ${response.status}`);
      return took;
    };
    return { first: await ask(), second: await ask() };
  }

  async stop(): Promise<void> {
    await this.#miniflare.dispose();
  }
}

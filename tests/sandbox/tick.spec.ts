// The tick: what runs the sandbox's scheduled handler.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Miniflare } from "miniflare";
import { surroundings, tick } from "../../sandbox/npm/run.ts";

/** Counts, and fails the first time. */
const script = `
  let count = 0;
  export default {
    fetch: () => new Response(String(count)),
    scheduled() { if (++count === 1) throw new Error("the first time"); },
  };
`;

function start(): Miniflare {
  return new Miniflare({
    ...surroundings(() => {}),
    modules: true,
    script,
    compatibilityDate: "2026-04-01",
  });
}

suite("the tick", () => {
  test("goes on though a handler fails, which is said, and ends when it is told to", async () => {
    const mf = start();
    try {
      const url = await mf.ready;
      const stopping = new AbortController();
      const lines: string[] = [];
      const ticking = tick(mf, stopping.signal, (line) => lines.push(line));
      while ((await (await fetch(url)).text()) !== "2") await setTimeout(50);
      stopping.abort();
      await ticking;
      assert.deepEqual(lines, ["the tick's outcome is exception"]);
    } finally {
      await mf.dispose();
    }
  });

  test("ends with an error where there is no workerd any more", async () => {
    const mf = start();
    await mf.ready;
    const ticking = tick(mf, new AbortController().signal, assert.fail);
    await mf.dispose();
    await assert.rejects(ticking, { message: "Cannot use disposed instance" });
  });
});

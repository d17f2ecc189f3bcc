// Test runners: tests that let the package work, and tests that only mock it, in the environments that shops use.

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { buildSync } from "esbuild";
import { Framework, ONLY_FULL } from "./framework.ts";
import { shop } from "./projects.ts";
import { assertJourney, startWorker, type Worker } from "./worker.ts";

suite("test runners", ONLY_FULL, () => {
  let worker: Worker;
  before(async () => {
    worker = await startWorker();
  });
  after(() => worker?.close());

  /** Runs a project's tests, and looks at what the journey came to in them. */
  async function run(project: Framework, name: string, args: string[], env: NodeJS.ProcessEnv = {}) {
    const file = join(project.folder, "came.json");
    rmSync(file, { force: true });
    await project.run(name, args, { ...env, SHOP: shop(worker) });
    assertJourney(JSON.parse(readFileSync(file, "utf8")), worker);
  }

  suite("Vitest", () => {
    let project: Framework;
    before(async () => {
      project = await Framework.install("vitest-5");
    });
    after(() => project?.remove());

    for (const environment of ["node", "jsdom", "happy-dom"]) {
      test(`in ${environment}`, () => run(project, "vitest", ["run", "--environment", environment]));
    }
  });

  suite("Jest", () => {
    let project: Framework;
    before(async () => {
      project = await Framework.install("jest-30");
      // as all of the project is CommonJS
      const journey = join(project.folder, "journey.js");
      buildSync({ entryPoints: [journey], format: "cjs", outfile: journey, allowOverwrite: true });
    });
    after(() => project?.remove());

    test("in Node's environment", () => run(project, "jest", ["node.test.js"]));

    test("in jsdom, with jest-fixed-jsdom", () => run(project, "jest", ["jsdom.test.js"]));

    test("in jsdom as it is: pages that import the package, and mock its calls", async () => {
      await project.run("jest", ["page.test.js", "mocked.test.js"]);
      assert.deepEqual(worker.asked(), []);
    });
  });

  suite("Jest, of modules", () => {
    let project: Framework;
    before(async () => {
      // Node's own words on its option
      project = await Framework.install("jest-30-modules", [
        /ExperimentalWarning: VM Modules is an experimental feature/,
        /^\(Use `node --trace-warnings /,
      ]);
    });
    after(() => project?.remove());

    test("in Node's environment", () =>
      run(project, "jest", [], { NODE_OPTIONS: "--experimental-vm-modules" }));
  });
});

// The types, by every TypeScript that people have, in every way that it looks for them: `projects/types` has the cases.

import { cpSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import { Framework, ONLY_FULL } from "./framework.ts";

suite("TypeScript", ONLY_FULL, () => {
  let project: Framework;
  before(async () => {
    project = await Framework.install("typescript");
    cpSync(resolve("tests/package/projects/types"), project.folder, { recursive: true });
  });
  after(() => project?.remove());

  for (const version of ["5.0", "5.4", "5.9", "6.0", "7.0"]) {
    const configs = ["bundler", "node16", "nodenext", "without-dom"];
    // unknown before
    if (version !== "5.0") configs.push("preserve");
    for (const config of configs) {
      test(`${version}, ${config}`, async () => {
        const compiler = join(project.folder, `node_modules/typescript-${version}/bin/tsc`);
        await project.run(process.execPath, [compiler, "--project", `${config}.json`]);
      });
    }
  }
});

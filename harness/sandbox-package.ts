// Writes what the sandbox's npm package is told of its Worker, since it has no wrangler to read it from: settings and migrations.

import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { migrationsIn } from "./stack.ts";

const { unstable_readConfig } = await import("wrangler");

const [config = "", out = ""] = process.argv.slice(2);
const { compatibility_date: compatibilityDate } = unstable_readConfig({ config });
const migrations = migrationsIn(join(dirname(config), "migrations"));
writeFileSync(out, `${JSON.stringify({ compatibilityDate, migrations }, null, 2)}\n`);

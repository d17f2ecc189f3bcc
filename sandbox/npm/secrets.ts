// What opens the sandbox: each from the environment, else as it was kept with the state, else random.

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** By the names that the Worker reads them by. */
export interface Secrets {
  OMISE_SECRET_KEY: string;
  CONTROL_TOKEN: string;
  WEBHOOK_SECRET: string;
}

const NAMES = ["OMISE_SECRET_KEY", "CONTROL_TOKEN", "WEBHOOK_SECRET"] as const;

/** Those of the environment. */
export function given(env: NodeJS.ProcessEnv): Partial<Secrets> {
  return Object.fromEntries(NAMES.filter((name) => env[name]).map((name) => [name, env[name]]));
}

/** New ones. */
export function random(): Secrets {
  return {
    // 18 hexadecimal digits and one more: Omise's are 19 characters of base 36.
    OMISE_SECRET_KEY: `skey_test_${randomBytes(9).toString("hex")}0`,
    CONTROL_TOKEN: randomBytes(16).toString("hex"),
    WEBHOOK_SECRET: randomBytes(32).toString("base64"),
  };
}

/** Those of a folder, in which new ones are kept if it has none; only the owner may read them. */
export function kept(folder: string): Secrets {
  const file = join(folder, "secrets.json");
  try {
    writeFileSync(file, `${JSON.stringify(random(), null, 2)}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const text = readFileSync(file, "utf8");
  try {
    const secrets = JSON.parse(text);
    if (NAMES.every((name) => typeof secrets[name] === "string")) return secrets;
  } catch {
    // what JSON.parse says would show some of it
  }
  throw new Error(`secrets.json does not hold ${NAMES.join(", ")}`);
}

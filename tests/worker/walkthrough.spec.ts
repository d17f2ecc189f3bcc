// docs/worker.md is what it says: its commands are run in the page's order, and their answers held against those printed there.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { randomSecrets, startStack } from "../../harness/stack.ts";
import { register } from "../support/customer.ts";

const page = readFileSync(new URL("../../docs/worker.md", import.meta.url), "utf8");
/** Between the answers of two commands: nothing that a command prints. */
const MARK = "\u0001";

interface Step {
  title: string;
  command: string;
  answer?: { kind: string; text: string };
}

/** The page's commands, each with the block that follows it. */
function steps(): Step[] {
  const found: Step[] = [];
  let title = "";
  for (const [, heading, kind, block] of page.matchAll(/^## (.+)$|^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (heading) title = heading;
    else if (kind === "sh") found.push({ title, command: block ?? "" });
    else {
      const last = found.at(-1);
      assert.ok(last, "an answer follows a command");
      // the address that the bank sends the customer to is no command's answer
      if (!last.answer) last.answer = { kind: kind ?? "", text: block ?? "" };
    }
  }
  return found;
}

/** `…` stands for any text; a member `"…": "…"` stands for the members that are not shown; 0 is any number. */
function assertLike(actual: unknown, expected: unknown, path: string): void {
  if (typeof expected === "string" && expected.includes("…")) {
    const pattern = expected.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    assert.match(String(actual), new RegExp(`^${pattern.join(".+")}$`, "s"), path);
  } else if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), path);
    assert.equal(actual.length, expected.length, path);
    for (const [i, value] of expected.entries()) assertLike(actual[i], value, `${path}[${i}]`);
  } else if (expected && typeof expected === "object") {
    assert.ok(actual && typeof actual === "object", path);
    const { "…": rest, ...shown } = expected as Record<string, unknown>;
    const members = actual as Record<string, unknown>;
    if (rest === undefined) assert.deepEqual(Object.keys(members), Object.keys(shown), path);
    for (const [name, value] of Object.entries(shown)) assertLike(members[name], value, `${path}.${name}`);
  } else if (expected === 0 && /\.(id|total)$/.test(path)) {
    assert.equal(typeof actual, "number", path);
  } else {
    assert.equal(actual, expected, path);
  }
}

test("docs/worker.md, command by command", async () => {
  const folder = mkdtempSync(join(tmpdir(), "walkthrough-"));
  const envFile = join(folder, "env.json");
  const stack = await startStack({ secrets: randomSecrets(), storefront: false });
  const shell = spawn("sh", [], { env: { ...process.env, ENV: envFile } });
  try {
    writeFileSync(envFile, JSON.stringify(stack.env));
    const errors = text(shell.stderr);
    let printed = "";
    shell.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      printed += chunk;
    });
    const run = async (command: string): Promise<string> => {
      printed = "";
      shell.stdin.write(`${command}\nprintf '${MARK}'\n`);
      while (!printed.endsWith(MARK)) await once(shell.stdout, "data");
      return printed.slice(0, -1);
    };

    let compared = 0;
    let account: { registration_uri: string } | undefined;
    for (const { title, command, answer } of steps()) {
      if (title === "Confirm") {
        assert.ok(account, "an account was created before it is confirmed");
        const back = await register(account.registration_uri, "approve");
        await run(`LINK_STATE='${back.searchParams.get("link_state")}'`);
      }
      const found = await run(command);
      if (!answer) continue;
      const where = `${title}: ${command}`;
      if (answer.kind === "json") {
        const actual = JSON.parse(found || "null");
        if (title === "Create" && !account) account = actual;
        assertLike(actual, JSON.parse(answer.text), where);
      } else {
        assertLike(found.replaceAll("\r", "").trim(), answer.text.trim(), where);
      }
      compared += 1;
    }
    shell.stdin.end();
    assert.equal(await errors, "", "no command complains");
    assert.ok(compared >= 20, `${compared} answers were compared`);
    for (const route of [
      "linked_accounts",
      "search",
      "confirm",
      "banks",
      "webhooks/omise",
      "audit",
      "health",
      "ready",
    ]) {
      assert.ok(page.includes(`/${route}`), `${route} is shown`);
    }
  } finally {
    shell.kill();
    await stack.dispose();
    rmSync(folder, { recursive: true });
  }
});

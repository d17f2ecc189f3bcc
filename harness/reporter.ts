// Reporter for Node's test runner: one line of JSON for each test that ran. `cargo xtask test` learns from it which tests passed, and
// the attacks without defences which failed.

import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";

/** A test that ran. */
export interface Result {
  /** Its spec, relative to the working directory. */
  file: string;
  /** The titles of the suites that it is in, then its own. */
  titles: string[];
  passed: boolean;
}

export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  /** The titles down to the latest test, by file. */
  const open = new Map<string, string[]>();
  for await (const { type, data } of events) {
    if (type !== "test:start" && type !== "test:pass" && type !== "test:fail") continue;
    const { name, nesting, file = "" } = data;
    const titles = [...(open.get(file) ?? []).slice(0, nesting), name];
    open.set(file, titles);
    if (type === "test:start" || data.details.type === "suite" || data.skip !== undefined || data.todo)
      continue;
    const result: Result = { file: relative("", file), titles, passed: type === "test:pass" };
    yield `${JSON.stringify(result)}\n`;
  }
}

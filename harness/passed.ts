// A reporter for Node's test runner: a line for each test that passed, `spec <file> <title> > <title>`, with the file relative to the
// working directory. `cargo xtask test` reads it to see that the tests that documents name have passed.

import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";

export default async function* passed(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  /** The titles that a test is within, by file. */
  const open = new Map<string, string[]>();
  for await (const { type, data } of events) {
    if (type !== "test:start" && type !== "test:pass") continue;
    const { name, nesting, file = "" } = data;
    const titles = [...(open.get(file) ?? []).slice(0, nesting), name];
    open.set(file, titles);
    const ran =
      type === "test:pass" && data.details.type !== "suite" && data.skip === undefined && !data.todo;
    if (ran) yield `spec ${relative("", file)} ${titles.join(" > ")}\n`;
  }
}

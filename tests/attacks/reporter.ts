// Reporter for `node --test`: one line of JSON for each test that ran, for `mutations.full.ts`.

import type { TestEvent } from "node:test/reporters";

/** A test that ran. */
export interface Result {
  name: string;
  /** The absolute path of its spec. */
  file: string | undefined;
  passed: boolean;
}

export default async function* (events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if ((type !== "test:pass" && type !== "test:fail") || data.nesting > 0 || data.skip) continue;
    const result: Result = { name: data.name, file: data.file, passed: type === "test:pass" };
    yield `${JSON.stringify(result)}\n`;
  }
}

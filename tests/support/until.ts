// Waits for a condition.

import assert from "node:assert/strict";

/** Calls `ask` until it returns something, and fails after 30 seconds. For work that the Worker does after its response. */
export async function until<T>(ask: () => Promise<T | null | undefined | false>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < deadline, `nothing after 30 seconds: ${ask}`);
    // gives the Worker time
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

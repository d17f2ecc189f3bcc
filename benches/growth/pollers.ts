// Many who wait for one account: every tab, device and backend of its owner asks whether the bank has decided.

import { setTimeout as sleep } from "node:timers/promises";
import type { Omise } from "./omise.ts";
import type { Deployment } from "./running.ts";

/** How many there are. */
export const POLLERS = [1, 10, 50, 200];

/** How they ask, and how long each waits until it asks again, in milliseconds. */
export const MODES = {
  // what the npm package does in its first seconds; later it waits longer
  "every second": { prefer: undefined, pause: 1_000 },
  "wait=25": { prefer: "wait=25", pause: 0 },
};
export type Mode = keyof typeof MODES;

/** What came of it. */
export interface Polled {
  /** Requests to the Worker, to Omise, and rows that the object read; a second. */
  polls: number;
  upstream: number;
  rowsRead: number;
  /** Milliseconds of each answer that was not held. */
  times: number[];
  /** Milliseconds from the bank's decision until each of them was told. */
  news: number[];
}

/** So many wait for an account on which the bank decides after some seconds. */
export async function poll(
  deployment: Deployment,
  omise: Omise,
  count: number,
  mode: Mode,
  seconds: number,
): Promise<Polled> {
  const { prefer, pause } = MODES[mode];
  const owner = `poller-${crypto.randomUUID()}`;
  const id = await deployment.pending(owner);
  const times: number[] = [];
  const news: number[] = [];
  let polls = 0;
  let decided = Number.POSITIVE_INFINITY;

  const one = async () => {
    // tabs are not opened all at once
    await sleep(Math.random() * 1_000);
    for (;;) {
      const started = performance.now();
      polls++;
      const status = await deployment.status(owner, id, prefer);
      const now = performance.now();
      if (!prefer) times.push(now - started);
      if (status !== "pending") return void news.push(now - decided);
      await sleep(pause);
    }
  };

  await deployment.seen();
  const askedBefore = omise.requests;
  const all = Promise.all(Array.from({ length: count }, one));
  await Promise.race([sleep(seconds * 1_000), all]);
  const { rowsRead } = await deployment.seen();
  const polled = {
    polls: polls / seconds,
    upstream: (omise.requests - askedBefore) / seconds,
    rowsRead: rowsRead / seconds,
  };
  decided = performance.now();
  omise.approve(id);
  await all;
  return { ...polled, times, news };
}

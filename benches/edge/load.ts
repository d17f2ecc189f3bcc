// The customers, in a process of their own: so many at once, each asking again as soon as it was answered. Started by run.ts.
//
// On undici itself, and not on a load tester: every answer is looked at, every create needs a key and a customer of its own, and times are
// needed in microseconds.

import { Pool } from "undici";
import { type Operation, type Session, tokenOf, type Wanted, wantedOf } from "./requests.ts";
import { ACCOUNTS, PENDING } from "./seeds.ts";

export interface Job {
  url: string;
  operation: Operation;
  /** Customers at once. */
  concurrency: number;
  /** For how long, in milliseconds. */
  ms: number;
  /** The `Authorization` of every request; absent: each customer's own token. */
  authorization?: string;
}

/** What came of it. */
export interface Load {
  requests: number;
  /** Requests a second. */
  throughput: number;
  /** Milliseconds a request. */
  median: number;
  p99: number;
}

/** More a second than anything here answers: so many requests are made ready. */
const AT_MOST = 6_000;

const session = JSON.parse(process.env.SESSION ?? "") as Session;
/** The account that is asked for next: each in its turn, so that none is asked for again soon. */
let turn = 0;

process.on("message", (job: Job) => {
  run(job).then(
    (load) => process.send?.(load),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());

async function run(job: Job): Promise<Load> {
  const requests = prepare(job);
  const pool = new Pool(job.url, { connections: job.concurrency, pipelining: 1 });
  const times: number[] = [];
  const began = performance.now();
  let next = 0;
  const customer = async () => {
    for (let wanted = requests[next++]; wanted; wanted = requests[next++]) {
      const asked = performance.now();
      if (asked - began > job.ms) return;
      const { statusCode, body } = await pool.request(wanted);
      const text = await body.text();
      times.push(performance.now() - asked);
      if (statusCode !== 200 || !wanted.has.every((part) => text.includes(part)))
        throw new Error(`${wanted.method} ${wanted.path}: ${statusCode} ${text}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: job.concurrency }, customer));
  } finally {
    await pool.destroy();
  }
  const took = performance.now() - began;
  turn += times.length;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return {
    requests: times.length,
    throughput: (times.length * 1_000) / took,
    median: at(0.5),
    p99: at(0.99),
  };
}

/** Made ready before the clock starts, each customer's token once. */
function prepare({ operation, ms, authorization }: Job): Wanted[] {
  const tokens = new Map<string, string>();
  const most = Math.ceil((AT_MOST * ms) / 1_000);
  // what is deleted is deleted once
  const length = operation === "delete" ? Math.min(most, ACCOUNTS) : most;
  return Array.from({ length }, (_, at) => {
    const number = operation === "poll" ? PENDING : (turn + at) % ACCOUNTS;
    const { subject, ...wanted } = wantedOf(operation, number);
    const mine = authorization ?? tokens.get(subject) ?? `Bearer ${tokenOf(session, subject)}`;
    tokens.set(subject, mine);
    return { ...wanted, headers: { ...wanted.headers, Authorization: mine } };
  });
}

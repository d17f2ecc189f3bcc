// `cargo xtask bench --only sandbox`: how many creates and retrieves a second the sandbox answers, and what holds it back. Each is
// measured beside the same request to a Worker that has less to do: none of the API's work (a path that is nothing), and no front.

import { Pool } from "undici";
import { randomSecrets, startSandbox } from "../../harness/stack.ts";
import { across, type Figure, QUICK, report } from "../report.ts";

const ROUNDS = QUICK ? 2 : 5;
/** Milliseconds a round. */
const ROUND = QUICK ? 500 : 3_000;
const CONCURRENCY = 16;

interface Asked {
  method: "GET" | "POST";
  path: string;
  body?: string;
  status: number;
}

const secrets = randomSecrets();
const sandbox = await startSandbox({ secrets });
const authorization = `Basic ${Buffer.from(`${secrets.OMISE_SECRET_KEY}:`).toString("base64")}`;
const headers = { authorization, "content-type": "application/x-www-form-urlencoded" };
const create: Asked = {
  method: "POST",
  path: "/linked_accounts",
  body: "type=direct_debit_kbank&return_uri=https%3A%2F%2Fshop.example%2Freturn&metadata[order]=17",
  status: 200,
};
const response = await fetch(sandbox.url + create.path, { method: "POST", headers, body: create.body ?? "" });
const { id } = (await response.json()) as { id: string };
const asked: Record<string, Asked> = {
  create,
  retrieve: { method: "GET", path: `/linked_accounts/${id}`, status: 200 },
  "nothing (404)": { method: "GET", path: "/nothing", status: 404 },
};

try {
  const figures: Figure[] = [];
  for (const [name, wanted] of Object.entries(asked)) {
    const through = { ours: sandbox.url, "without the front": sandbox.behind };
    const rounds = new Map(Object.keys(through).map((who) => [who, [] as number[]]));
    for (let round = 0; round < ROUNDS; round++) {
      const order = Object.entries(through);
      if (round % 2) order.reverse();
      for (const [who, url] of order) rounds.get(who)?.push(await rate(url, wanted));
    }
    const values = [...rounds].map(([who, rates]) => across(who, rates));
    figures.push({ name, unit: "requests/s", better: "more", values });
  }
  report("sandbox", figures, []);
} finally {
  await sandbox.dispose();
}

/** Answers a second, to so many callers at once, each asking again as soon as it was answered. */
async function rate(url: string, { method, path, body, status }: Asked): Promise<number> {
  const pool = new Pool(url, { connections: CONCURRENCY, pipelining: 1 });
  const began = performance.now();
  let answers = 0;
  const caller = async () => {
    while (performance.now() - began < ROUND) {
      const answer = await pool.request({ method, path, body: body ?? null, headers });
      const text = await answer.body.text();
      if (answer.statusCode !== status) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
      answers += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, caller));
    return (answers * 1_000) / (performance.now() - began);
  } finally {
    await pool.destroy();
  }
}

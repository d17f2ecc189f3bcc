// `cargo xtask bench --only growth`: what a call costs as there are more customers, as one customer has more links, and when many wait for
// one account.
//
// The Worker runs in workerd, with an object and its file for every customer; Omise is a server here that answers at once. Calls come one
// after the other, so that a time is a call's own. The deployments take turns, in another order each round: what the machine does
// meanwhile meets all of them. Rows are what the objects' own cursors count, and one for each alarm that is set.
//
// There are 10⁴ customers at most: an object sees nothing of the others, and a folder with more files tells nothing of Cloudflare.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { across, type Figure, type Goal, median, QUICK, report, type Value } from "../report.ts";
import { writeTable } from "./document.ts";
import type { Table } from "./ledger.ts";
import { Omise } from "./omise.ts";
import { MODES, type Mode, POLLERS, type Polled, poll } from "./pollers.ts";
import { Deployment, OF_ONE, OPERATIONS, type Operation, type Round, type Rounds } from "./running.ts";

const CUSTOMERS = QUICK ? [100, 1_000] : [1_000, 10_000];
/** Links of one customer, in the deployment with the most. */
const LINKS = QUICK ? [10, 1_000] : [10, 100, 1_000, 10_000];
/** Rounds that are measured, and calls of most operations in each: many short ones, so that a noise meets every ledger. */
const ROUNDS = QUICK ? 10 : 30;
const CALLS = QUICK ? 10 : 20;
/** How often pollers are let loose, and for how many seconds until the bank decides. */
const POLLING_ROUNDS = QUICK ? 1 : 2;
const POLLING_SECONDS = QUICK ? 3 : 12;
/** How much more a call may cost with the most customers than with the fewest. */
const FLAT = 1.2;

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
mkdirSync(join(ROOT, "target/growth"), { recursive: true });
const folder = mkdtempSync(join(ROOT, "target/growth/state-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const omise = new Omise();
const deployments: Deployment[] = [];
try {
  const omiseUrl = await omise.start();
  for (const [i, customers] of CUSTOMERS.entries()) {
    const started = performance.now();
    const links = i === CUSTOMERS.length - 1 ? LINKS : [];
    const at = join(folder, String(customers));
    deployments.push(await Deployment.start(customers, links, omise, omiseUrl, at));
    console.log(`${customers} customers made in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
  }
  await main();
} finally {
  for (const deployment of deployments) await deployment.dispose();
  await omise.stop();
}
process.exit();

async function main(): Promise<void> {
  // the first is for warming up
  for (let round = 0; round <= ROUNDS; round++) {
    const order = round % 2 === 0 ? deployments : deployments.toReversed();
    for (const deployment of order) await deployment.round(CALLS, round > 0);
  }
  const figures = [...calls(), ...(await sizes()), ...(await pollers())];
  report("growth", figures, goals(figures));
  // what was measured in a hurry is for the console
  if (!QUICK) writeTable(figures);
}

/** The customers with many links, the one with most last. */
function ofOne() {
  return deployments.flatMap(({ ofOne }) => [...ofOne.values()]);
}

/** Time and rows of every call, by customers and by links of one. */
function calls(): Figure[] {
  const figures = (
    operations: readonly Operation[],
    of: { name: string; rounds: Rounds }[],
    prefix: string,
  ) =>
    operations.flatMap((operation) => {
      const figure = (name: string, unit: string, valuesOf: (round: Round) => number[]): Figure => ({
        name: `${prefix}${operation}: ${name}`,
        unit,
        better: "less",
        values: of.map(({ name, rounds }) => value(name, (rounds.get(operation) ?? []).map(valuesOf))),
        chart: unit !== "rows" || name === "rows read",
      });
      return [
        // the alarm has none of its own
        ...(operation === "alarm" ? [] : [figure("time", "ms", ({ times }) => times)]),
        figure("rows read", "rows", ({ rowsRead }) => [rowsRead]),
        figure("rows written", "rows", ({ rowsWritten }) => [rowsWritten]),
      ];
    });
  return [...figures(OPERATIONS, deployments, ""), ...figures(OF_ONE, ofOne(), "of one with many links, ")];
}

/** What an object takes, and what a row does, its share of the indexes included: where there are most, and no page is half empty. */
async function sizes(): Promise<Figure[]> {
  const tables: Table[] = ["links", "audit", "attempts", "events"];
  const figure = (name: string, values: Value[]): Figure => ({
    name,
    unit: "bytes",
    better: "less",
    values,
    chart: false,
  });
  const objects: Value[] = [];
  for (const deployment of deployments) objects.push(value(deployment.name, [[await deployment.size()]]));
  const many = ofOne().slice(-1);
  return [
    figure("size of an object with three links", objects),
    ...many.flatMap(({ name, sizes }) =>
      tables.map((table) =>
        figure(`size of a row: ${table}`, [value(name, [[sizes[table].bytes / sizes[table].rows]])]),
      ),
    ),
  ];
}

/** Pollers of one account, with the most customers. */
async function pollers(): Promise<Figure[]> {
  const deployment = deployments.at(-1);
  if (!deployment) return [];
  const polled = new Map<string, Polled[]>();
  const nameOf = (mode: Mode, count: number) => `${count} × ${mode}`;
  const modes = Object.keys(MODES) as Mode[];
  const cases = modes.flatMap((mode) => POLLERS.map((count) => ({ mode, count })));
  for (let round = 0; round < POLLING_ROUNDS; round++) {
    for (const { mode, count } of round % 2 === 0 ? cases : cases.toReversed()) {
      const found = await poll(deployment, omise, count, mode, POLLING_SECONDS);
      polled.set(nameOf(mode, count), [...(polled.get(nameOf(mode, count)) ?? []), found]);
    }
  }
  const figure = (
    name: string,
    unit: string,
    valuesOf: (one: Polled, count: number) => number[],
  ): Figure => ({
    name: `pollers of one account: ${name}`,
    unit,
    better: "less",
    values: cases.flatMap(({ mode, count }) => {
      const rounds = (polled.get(nameOf(mode, count)) ?? []).map((one) => valuesOf(one, count));
      return rounds.some((values) => values.length > 0) ? [value(nameOf(mode, count), rounds)] : [];
    }),
    chart: !name.includes("each"),
  });
  return [
    figure("requests to Omise", "a second", ({ upstream }) => [upstream]),
    figure("rows read", "a second", ({ rowsRead }) => [rowsRead]),
    figure("rows read, each poller", "a second", ({ rowsRead }, count) => [rowsRead / count]),
    // a poll that is held is not over when the bank decides
    figure("rows read, each poll", "rows", ({ rowsRead, polls, times }) =>
      times.length > 0 ? [rowsRead / polls] : [],
    ),
    figure("time of an answer", "ms", ({ times }) => times),
    figure("from the bank's decision to the news", "ms", ({ news }) => news),
  ];
}

/** Whether what should not grow with the number of customers does not. */
function goals(figures: Figure[]): Goal[] {
  const flat = ["retrieve, settled", "retrieve, pending", "create"];
  return flat.flatMap((operation) =>
    ["time", "rows read"].map((what) => {
      const values = figures.find(({ name }) => name === `${operation}: ${what}`)?.values ?? [];
      const got = (values.at(-1)?.median ?? Number.NaN) / (values[0]?.median ?? Number.NaN);
      const goal = `${operation}: ${what} of ${values.at(-1)?.who} to that of ${values[0]?.who}`;
      return { goal, want: FLAT, got, met: got <= FLAT };
    }),
  );
}

/** The medians of the rounds, and the last hundredth of all that was measured in them. */
function value(who: string, rounds: number[][]): Value {
  const all = rounds.flat();
  const medians = rounds.filter((round) => round.length > 0).map(median);
  // of a few values the last hundredth says nothing
  return { ...across(who, medians), ...(all.length >= 100 && { p99: quantile(all, 0.99) }) };
}

/** The nearest rank. */
function quantile(values: number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

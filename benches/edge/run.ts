// `cargo xtask bench --only edge`: the Worker against what somebody would put in its place.
//
//   ours               as it is deployed
//   Hono               a Worker of equal features, see peers/hono/index.ts
//   pass-through       puts in the secret key and checks nothing
//   pass-through + D1  the same, after one read of D1
//
// All run in workerd, of one version, before one upstream, each with a ledger of its own with the same content: ours in its customers'
// objects, the others in one D1 database (peers/migrations), and with the same settings and limits otherwise. All are up at the same
// time, and are asked one after the other, in an order that turns with every round; the others do nothing meanwhile. Every
// round has new processes: one of the very same Worker may be a tenth faster than the next, for as long as it lives.
// Customers, upstream and the Workers are processes of their own, on one machine: what is measured is how they compare, not what
// Cloudflare's machines would do. workerd keeps objects and D1 in the Worker's own process, so time and memory are those of both.
// Our objects' alarms are left out: they come half a minute after a create, while another is measured. What one does is counted by
// `--only growth`.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { Agent, request } from "undici";
import {
  bindingsOf,
  freePort,
  type Running,
  randomSecrets,
  startPeer,
  startWorker,
  workerds,
} from "../../harness/stack.ts";
import { OBJECTS } from "../objects.ts";
import { across, type Figure, type Goal, QUICK, report } from "../report.ts";
import { answersOf, checkPassThrough } from "./answers.ts";
import { Isolates, type Modules } from "./isolates.ts";
import type { Job, Load } from "./load.ts";
import { OPERATIONS, type Operation, type Session, tokenOf, wantedOf } from "./requests.ts";
import { fill, fillObjects, restore, restoreObjects, SHOP } from "./seeds.ts";
import type { Told } from "./upstream.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(dirname(HERE));
/** Databases of the cold starts. */
const STATE = join(ROOT, "target/bench-edge");

const ROUNDS = QUICK ? 2 : 5;
/** How often each is started, as a process and as an isolate. */
const STARTS = QUICK ? 3 : 21;
/** How long each is asked at a time, in milliseconds. */
const CELL_MS = QUICK ? 250 : 1_000;
/** How long each is asked before anything is measured: engines compile what they see often. */
const WARM_UP_MS = QUICK ? 250 : 1_000;
const CONCURRENCIES = QUICK ? [1, 16] : [1, 16, 64];
/** The upstream's, in milliseconds. */
const DELAYS = [0, 40];
/** Where time and memory are looked at, and most goals apply. */
const [BUSY, AT_ONCE] = [16, 0];

const OURS = "ours";
const HONO = "Hono";
const PASS = "pass-through";
const PASS_D1 = "pass-through + D1";
const CONTESTANTS = [OURS, HONO, PASS, PASS_D1];
/** Asked like the others, with the secret key: what is added to it is the Worker's. */
const UPSTREAM = "upstream";
/** What is uploaded of ours, the entry first. */
const OUR_FILES = [
  "entry.js",
  "audit-log.js",
  "customer.js",
  "edge.js",
  "microtask.js",
  "rescue.js",
  "build/index.js",
  "build/index_bg.wasm",
];
/** What of a start is everybody's: a Worker that does nothing. */
const EMPTY = "empty";
const EMPTY_SCRIPT = `
export default { fetch: () => new Response(null, { headers: { "Access-Control-Allow-Origin": "${SHOP}" } }) };
`;

/** A Worker, and where it is. */
interface Contestant {
  running: Started;
  pid: number;
  /** Whether it was asked to create or delete since its ledger was restored. */
  changed: boolean;
}

/** A Worker that runs, and what fills its ledger and takes back what was done to it. */
interface Started extends Running {
  fill(): Promise<void>;
  restore(): Promise<void>;
}

/** What one round measured of one of them. */
interface Cell extends Load {
  /** Milliseconds of the Worker's process for 1,000 requests. */
  cpu: number;
  /** The most memory that it had, in MiB. */
  peak: number;
}

/** A process of ours that is told things one at a time, and answers each. */
class Child<Message, Answer> {
  readonly #process;

  constructor(file: string, env: Record<string, string>) {
    const execArgv = ["--disable-warning=ExperimentalWarning"];
    this.#process = fork(join(HERE, file), { env: { ...process.env, ...env }, execArgv });
    this.#process.on("exit", (code) => {
      if (code) process.exit(code);
    });
  }

  async heard(): Promise<Answer> {
    const [answer] = await once(this.#process, "message");
    if (answer?.error) throw new Error(answer.error);
    return answer;
  }

  async tell(message: Message): Promise<Answer> {
    const answer = this.heard();
    this.#process.send(message as object);
    return await answer;
  }

  stop(): void {
    this.#process.disconnect();
  }
}

/** Connects from another of this machine's addresses. */
const elsewhere = new Agent({ connect: { localAddress: "127.0.0.2" } });
const secrets = randomSecrets();
const session: Session = { secret: secrets.SESSION_SECRET, iss: SHOP, aud: "https://links.shop.example" };
const scripts: Record<string, string> = {
  [HONO]: await bundleOf("hono/index.ts"),
  [PASS]: await bundleOf("pass-through.js"),
  [PASS_D1]: await bundleOf("pass-through-d1.js"),
};

// of a run that was killed
rmSync(STATE, { recursive: true, force: true });
const upstream = new Child<Told, null>("upstream.ts", { OMISE_SECRET_KEY: secrets.OMISE_SECRET_KEY });
const customers = new Child<Job, Load>("load.ts", { SESSION: JSON.stringify(session) });
const { url: upstreamUrl } = (await upstream.heard()) as unknown as { url: string };
try {
  const figures: Figure[] = [];
  const goals: Goal[] = [];
  sizes(figures, goals);
  await coldStarts(figures, goals);
  await isolateStarts(figures, goals);
  await underLoad(figures, goals);
  report("edge", figures, goals);
} finally {
  upstream.stop();
  customers.stop();
  rmSync(STATE, { recursive: true, force: true });
}

/** A peer as it would be deployed. */
async function bundleOf(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(HERE, "peers", entry)],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    // as wrangler does
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:workers"],
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

async function start(who: string, options: { port?: number; statePath?: string } = {}): Promise<Started> {
  const all = {
    omiseUrl: upstreamUrl,
    storefrontUrl: SHOP,
    secrets,
    bindings: { SESSION_ISSUER: session.iss, SESSION_AUDIENCE: session.aud },
    ...options,
  };
  const script = scripts[who];
  if (script === undefined) {
    // as it is shipped, but for a class around each of its objects that fills it, and leaves its alarms out
    const worker = await startWorker({ ...all, entry: OBJECTS });
    return {
      ...worker,
      fill: () => fillObjects(worker, upstreamUrl),
      restore: () => restoreObjects(worker),
    };
  }
  const migrations = join(HERE, "peers/migrations");
  const peer = await startPeer({ ...all, script, migrations });
  return {
    ...peer,
    fill: async () => fill(await peer.db(), upstreamUrl),
    restore: async () => restore(await peer.db()),
  };
}

/** What Cloudflare is given, and loads. */
function sizes(figures: Figure[], goals: Goal[]): void {
  const size = (who: string) =>
    Object.values(modulesOf(who)).reduce((sum, file) => sum + gzipSync(file, { level: 9 }).length, 0) / 1_024;
  figures.push({
    name: "bundle",
    unit: "KiB, gzip -9",
    better: "less",
    values: CONTESTANTS.map((who) => across(who, [size(who)])),
  });
  goals.push(atMost("bundle, KiB, gzip -9", 160, size(OURS)));
}

function modulesOf(who: string): Modules {
  if (who !== OURS) return { "index.js": scripts[who] ?? EMPTY_SCRIPT };
  const contents = (name: string) => {
    const bytes = readFileSync(join(ROOT, "worker", name));
    return name.endsWith(".wasm") ? new Uint8Array(bytes) : bytes.toString();
  };
  return Object.fromEntries(OUR_FILES.map((name) => [name, contents(name)]));
}

/** From nothing to the first answer, an account out of a ledger that is there already. */
async function coldStarts(figures: Figure[], goals: Goal[]): Promise<void> {
  const times: Record<string, number[]> = {};
  const wanted = wantedOf("retrieve", 1);
  const headers = { ...wanted.headers, Authorization: `Bearer ${tokenOf(session, wanted.subject)}` };

  for (const who of CONTESTANTS) {
    const running = await start(who, { statePath: stateOf(who) });
    await running.fill();
    await running.dispose();
  }
  for (let round = 0; round < STARTS; round++) {
    for (const who of turned(CONTESTANTS, round)) {
      const port = await freePort();
      const began = performance.now();
      const starting = start(who, { port, statePath: stateOf(who) });
      await firstAnswer(`http://127.0.0.1:${port}${wanted.path}`, headers);
      push(times, who, performance.now() - began);
      const running = await starting;
      await running.dispose();
    }
    say(`cold starts, round ${round + 1} of ${STARTS}`);
  }
  const name = "cold start, process to first answer";
  const figure: Figure = {
    name,
    unit: "ms",
    better: "less",
    values: CONTESTANTS.map((who) => across(who, of(times, who))),
  };
  figures.push(figure);
  goals.push(atMost(`${name}, of Hono's`, 1.3, medianOf(figure, OURS) / medianOf(figure, HONO)));
}

/** A new isolate to its first answer. Pass-throughs would ask the upstream: they are left out. */
async function isolateStarts(figures: Figure[], goals: Goal[]): Promise<void> {
  const everybody = [OURS, HONO, EMPTY];
  const first: Record<string, number[]> = {};
  const second: Record<string, number[]> = {};
  const bindings = bindingsOf({ omiseUrl: upstreamUrl, storefrontUrl: SHOP, secrets }, session.aud);
  const workers = Object.fromEntries(everybody.map((who) => [who, modulesOf(who)]));
  const isolates = new Isolates(workers, bindings);
  try {
    // the loader is new itself
    await isolates.start(EMPTY);
    for (let round = 0; round < STARTS; round++) {
      for (const who of turned(everybody, round)) {
        const started = await isolates.start(who);
        push(first, who, started.first);
        push(second, who, started.second);
      }
    }
  } finally {
    await isolates.stop();
  }
  const figure = (name: string, times: Record<string, number[]>): Figure => ({
    name,
    unit: "ms",
    better: "less",
    values: everybody.map((who) => across(who, of(times, who))),
  });
  const name = "cold start, isolate and first request";
  const started = figure(name, first);
  figures.push(started, { ...figure("second request of an isolate", second), chart: false });
  goals.push(atMost(`${name}, of Hono's`, 1.3, medianOf(started, OURS) / medianOf(started, HONO)));
}

/**
 * Asks until a server is there and answers. From an address of its own: from the server's, a connection to a port that is free still may
 * get that very port for its own end, is connected to itself, and keeps the server from listening there.
 */
async function firstAnswer(url: string, headers: Record<string, string>): Promise<void> {
  for (;;) {
    const answer = await request(url, { headers, reset: true, dispatcher: elsewhere }).catch(() => undefined);
    const text = await answer?.body.text();
    if (answer?.statusCode === 200) return;
    if (answer) throw new Error(`${answer.statusCode} ${text}`);
    // there is no server yet
    await sleep(1);
  }
}

async function underLoad(figures: Figure[], goals: Goal[]): Promise<void> {
  const cells: Record<string, Cell[]> = {};
  for (let round = 0; round < ROUNDS; round++) {
    const contestants = new Map<string, Contestant>();
    try {
      for (const who of turned(CONTESTANTS, round)) {
        const before = workerds();
        const running = await start(who);
        const pid = workerds().find((pid) => !before.includes(pid)) ?? 0;
        contestants.set(who, { running, pid, changed: false });
        await running.fill();
      }
      if (round === 0) await compare(contestants);
      await measure(contestants, round, cells);
    } finally {
      for (const { running } of contestants.values()) await running.dispose();
    }
    say(`load, round ${round + 1} of ${ROUNDS}`);
  }
  tell(cells, figures, goals);
}

/** Whether all do what they are measured at. */
async function compare(contestants: Map<string, Contestant>): Promise<void> {
  const answers: Record<string, unknown> = {};
  for (const [who, { running }] of contestants) {
    await upstream.tell({ restore: true });
    if (who === OURS || who === HONO) answers[who] = await answersOf(running.url, session);
    else await checkPassThrough(running.url);
  }
  assert.deepEqual(answers[HONO], answers[OURS], "Hono answers otherwise than ours");
}

/** Measures one round, into what was measured in the order of the rounds, by `keyOf`. */
async function measure(
  contestants: Map<string, Contestant>,
  round: number,
  cells: Record<string, Cell[]>,
): Promise<void> {
  const everybody = turned([...CONTESTANTS, UPSTREAM], round);
  for (const operation of OPERATIONS)
    for (const who of everybody) await cell(contestants, who, operation, BUSY, WARM_UP_MS);
  for (const delay of DELAYS) {
    await upstream.tell({ delay });
    for (const operation of OPERATIONS) {
      for (const concurrency of CONCURRENCIES) {
        for (const who of everybody) {
          const measured = await cell(contestants, who, operation, concurrency, CELL_MS);
          push(cells, keyOf(who, operation, concurrency, delay), measured);
        }
      }
    }
  }
  await upstream.tell({ delay: 0 });
}

async function cell(
  contestants: Map<string, Contestant>,
  who: string,
  operation: Operation,
  concurrency: number,
  ms: number,
): Promise<Cell> {
  const contestant = contestants.get(who);
  await upstream.tell({ restore: true });
  if (!contestant) {
    const authorization = `Basic ${btoa(`${secrets.OMISE_SECRET_KEY}:`)}`;
    const load = await customers.tell({ url: upstreamUrl, operation, concurrency, ms, authorization });
    return { ...load, cpu: 0, peak: 0 };
  }
  const { running, pid } = contestant;
  if (contestant.changed) await running.restore();
  contestant.changed = operation === "create" || operation === "delete";
  const before = cpuOf(pid);
  // resets the peak, see proc(5)
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  const load = await customers.tell({ url: running.url, operation, concurrency, ms });
  return { ...load, cpu: ((cpuOf(pid) - before) * 1_000) / load.requests, peak: peakOf(pid) };
}

function tell(cells: Record<string, Cell[]>, figures: Figure[], goals: Goal[]): void {
  for (const delay of DELAYS)
    for (const operation of OPERATIONS)
      for (const concurrency of CONCURRENCIES) {
        const where = `${operation}, ${concurrency} at once, upstream ${delay} ms`;
        const rounds = (who: string) => of(cells, keyOf(who, operation, concurrency, delay));
        const throughput: Figure = {
          name: where,
          unit: "requests a second",
          better: "more",
          values: CONTESTANTS.map((who) =>
            across(
              who,
              rounds(who).map((cell) => cell.throughput),
            ),
          ),
          chart: concurrency === BUSY,
        };
        const latency = latencyOf(operation, where, rounds);
        latency.chart = concurrency === 1;
        figures.push(throughput, latency);

        if (concurrency === 1) {
          const goal = `${where}: ${latency.unit}, no more than Hono's`;
          goals.push(atMost(goal, medianOf(latency, HONO), medianOf(latency, OURS)));
        }
        if (concurrency !== BUSY || delay !== AT_ONCE) continue;
        const times = (who: string) => medianOf(throughput, OURS) / medianOf(throughput, who);
        goals.push(
          atLeast(`${where}: requests a second, of Hono's`, operation === "poll" ? 2 : 1, times(HONO)),
        );
        if (operation === "retrieve")
          goals.push(atLeast(`${where}: requests a second, of pass-through + D1's`, 0.9, times(PASS_D1)));
      }

  const costs: [unit: string, cost: (cell: Cell) => number][] = [
    ["CPU ms for 1,000 requests", (cell) => cell.cpu],
    ["MiB of memory at the most", (cell) => cell.peak],
  ];
  for (const [unit, cost] of costs)
    for (const operation of OPERATIONS) {
      const rounds = (who: string) => of(cells, keyOf(who, operation, BUSY, AT_ONCE)).map(cost);
      const values = CONTESTANTS.map((who) => across(who, rounds(who)));
      figures.push({
        name: `${operation}, ${BUSY} at once, upstream ${AT_ONCE} ms`,
        unit,
        better: "less",
        values,
      });
    }
}

/** How long an answer takes: beyond the upstream's own, where each asks it. */
function latencyOf(operation: Operation, name: string, rounds: (who: string) => Cell[]): Figure {
  const asks = operation !== "list" && operation !== "poll";
  const upstreams = rounds(UPSTREAM).map((cell) => (asks ? cell.median : 0));
  const values = CONTESTANTS.map((who) => {
    const cells = rounds(who);
    const beyond = (time: (cell: Cell) => number) =>
      cells.map((cell, round) => time(cell) - (upstreams[round] ?? 0));
    return across(
      who,
      beyond((cell) => cell.median),
      beyond((cell) => cell.p99),
    );
  });
  return { name, unit: asks ? "ms beyond the upstream's" : "ms", better: "less", values };
}

function keyOf(who: string, operation: Operation, concurrency: number, delay: number): string {
  return `${who}: ${operation} ${concurrency} ${delay}`;
}

function push<Item>(lists: Record<string, Item[]>, key: string, item: Item): void {
  const list = lists[key] ?? [];
  lists[key] = list;
  list.push(item);
}

function of<Item>(lists: Record<string, Item[]>, key: string): Item[] {
  return lists[key] ?? [];
}

function medianOf(figure: Figure, who: string): number {
  return figure.values.find((value) => value.who === who)?.median ?? Number.NaN;
}

/** Another first in every round, and every second round backwards. */
function turned<Item>(items: Item[], round: number): Item[] {
  const from = (round >> 1) % items.length;
  const order = [...items.slice(from), ...items.slice(0, from)];
  return round % 2 ? order.reverse() : order;
}

function atLeast(goal: string, want: number, got: number): Goal {
  return { goal, want, got, met: got >= want };
}

function atMost(goal: string, want: number, got: number): Goal {
  return { goal, want, got, met: got <= want };
}

function stateOf(who: string): string {
  const folder = join(STATE, who);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Time that a process has had of all processors, in milliseconds; Linux counts hundredths of a second. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  // utime and stime, the fields 14 and 15 of proc(5)
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The most memory that a process had since that was reset, in MiB. */
function peakOf(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1_024;
}

function say(what: string): void {
  console.error(`  ${what}`);
}

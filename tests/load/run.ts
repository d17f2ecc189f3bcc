// A load that goes on for minutes: a thousand customers at a steady rate, while one in a hundred of the Worker's requests to Omise fails,
// and one in ten of the customers' own is hung up on.
//
//   node tests/load/run.ts [--seconds N] [--rate N] [--seed N]
//
// Requests are sent when they are due, whether or not earlier ones were answered, and their times count from when they were due: a stall
// is seen by all who would have come meanwhile. Every choice is made by the seed; what a choice leads to depends on the order in which
// answers come.
//
// Every answer is held against what the customers know, every error against the fault that explains it. A client that hangs up learns
// nothing, and what it has begun goes on to its end. At the end the faults stop, the alarm of every customer's object settles what it can,
// and the books of the sandbox, the Worker and the customers are compared.
//
// The databases are files under target/load. workerd runs the Worker and its objects in one isolate of one process; and V8 collects when
// it likes, which for a Worker that does nothing but answer is after hundreds of megabytes. So memory is looked at after a collection:
// what is alive in the Worker's isolate, and what the process has, of which the Worker's WebAssembly memory is a part.

import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { collect, openIsolates } from "../../harness/inspector.ts";
import { answerOf, type Exchange, type Fault, Relay } from "../../harness/relay.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import {
  type Database,
  freePort,
  randomSecrets,
  type Session,
  startSandbox,
  startWorker,
  workerds,
} from "../../harness/stack.ts";
import { type Answer, readAnswer } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { objectName, openStamp, STAMP } from "../support/stamp.ts";
import { eventOf, signedHeaders } from "../support/webhook.ts";

const CUSTOMERS = 1_000;
const TYPES = ["direct_debit_bay", "direct_debit_kbank", "direct_debit_ktb", "direct_debit_scb"];
/** How long the Worker waits for Omise. */
const DEADLINE_MS = 5_000;
/** The Worker's quiet period: how long after the deadline an attempt can still come to something. */
const QUIET_MS = 600_000;
/** How many of 10,000 requests to Omise fail. */
const FAULTS_IN_10_000 = 100;
/** How many of a hundred requests are hung up on, and after how many milliseconds at most. */
const HANG_UPS_IN_100 = 10;
const MAX_PATIENCE_MS = 25;
/** How long a reading is shared, and what an answer takes at most beside Omise's part of it. */
const SHARED_MS = 3_000;
const SLACK_MS = 2_000;
/** How long an answer is held at most where the customer waits for the bank, in seconds. */
const HELD = 3;
/** How many customers are looked at together when all is over. */
const AT_ONCE = 8;
/** A look for the account of an attempt that is due later than this, in milliseconds, has seen all that there was. */
const LOOKED_MS = 10_000;
/** How often a lost create is repeated with its key, before its customer gives up. */
const MAX_REPEATS = 5;
/** Requests that wait for their answers. With more the rate is not held, and the load ends. */
const MAX_WAITING = 1_000;
/** How long the last answers may take. */
const PATIENCE_MS = 60_000;
/** How often memory is looked at in the whole time. */
const SAMPLES = 50;
/** How much more memory the last fifth may take than the second; the first is for warming up. */
const MEMORY_GROWTH = 0.1;
/** And so many MiB: requests that are being answered are alive too. */
const MEMORY_NOISE = 1;
/** Fifths that are shorter are warming up themselves: memory is shown, not judged. In seconds. */
const JUDGED_FIFTH = 60;

/** What is asked for, and how often in a hundred requests. */
const MIX = {
  create: 20,
  repeat: 3,
  retrieve: 30,
  wait: 4,
  list: 14,
  search: 3,
  confirm: 12,
  webhook: 6,
  delete: 6,
  "foreign retrieve": 1,
  "foreign delete": 1,
};
type Operation = keyof typeof MIX;

/** What has to be so. */
const CHECKS = [
  "the rate was held",
  "every request was answered, as documented",
  "every error has its cause",
  "faults were met",
  "clients hung up",
  "the bank could be visited",
  "no answer showed another's account",
  "another's account is like none",
  "a key makes one account",
  "no attempt made two accounts",
  "every account is its owner's",
  "what a customer was shown stays",
  "each customer lists their own",
  "the ledger says what Omise says",
  "the alarms get to everything",
  "no alarm and no object failed",
  "the audit is whole, and in the audit log",
  "memory is flat",
] as const;
type Check = (typeof CHECKS)[number];

const HTML = answerOf(503, { "Content-Type": "text/html" }, "<h1>Service Unavailable</h1>");
const RAILS = answerOf(
  500,
  { "Content-Type": "application/json" },
  '{"status":500,"error":"Internal Server Error"}',
);
const SLOW_DOWN = answerOf(
  429,
  { "Content-Type": "application/json", "Retry-After": "1" },
  '{"object":"error","location":"https://www.omise.co/api-errors#too-many-requests","code":"too_many_requests","message":"slow down"}',
);

/** What goes wrong, each as often as the others, and the reasons that the Worker may have from it. */
const FAULTS: Record<string, { draw: () => Fault; reasons: string[] }> = {
  slow: { draw: () => ({ kind: "delay", ms: trouble(100, 500) }), reasons: [] },
  late: {
    draw: () => ({ kind: "delay", ms: DEADLINE_MS + trouble(100, 2_000) }),
    reasons: ["outcome_unknown", "upstream_timeout"],
  },
  hung: {
    draw: () => ({ kind: "hang", after: trouble(0, 400) }),
    reasons: ["outcome_unknown", "upstream_timeout"],
  },
  reset: {
    draw: () => ({ kind: "reset", after: trouble(0, 400) }),
    reasons: ["outcome_unknown", "upstream_unavailable"],
  },
  unsent: {
    draw: () => ({ kind: "reset", forward: false }),
    reasons: ["outcome_unknown", "upstream_unavailable"],
  },
  cut: {
    draw: () => ({ kind: "cut", after: trouble(0, 400) }),
    reasons: ["outcome_unknown", "upstream_unavailable"],
  },
  garbled: {
    draw: () => ({ kind: "garble", seed: trouble(0, 0x7fff_ffff) }),
    reasons: ["outcome_unknown", "upstream_unreadable"],
  },
  // Omise did what it was asked, and then failed
  "500": {
    draw: () => ({ kind: "answer", bytes: RAILS }),
    reasons: ["outcome_unknown", "upstream_unavailable"],
  },
  "503": {
    draw: () => ({ kind: "answer", bytes: HTML, forward: false }),
    reasons: ["outcome_unknown", "upstream_unavailable"],
  },
  "429": {
    draw: () => ({ kind: "answer", bytes: SLOW_DOWN, forward: false }),
    reasons: ["upstream_unavailable"],
  },
};
const FAULT_NAMES = Object.keys(FAULTS);

/** A customer, and what they know. */
interface Shopper {
  name: string;
  customer: Customer;
  creates: Create[];
  accounts: Account[];
}

/** What a customer wants to be created, under one key, however often they ask for it. */
interface Create {
  shopper: Shopper;
  key: string;
  params: Record<string, unknown>;
  /** What the customer does at the bank, and afterwards. */
  decision: "approve" | "decline";
  afterwards: "returns" | "leaves" | "never goes there";
  /** How often it was asked for, how often at this moment, and whether it ever was twice at once. */
  asked: number;
  asking: number;
  overlapped: boolean;
  /** When a request for it was last hung up on. */
  hungUpAt: number;
  /** Its outcome was not known once, because of a fault. */
  lost: boolean;
  /** When it may have stood in the way of others. */
  openFrom: number;
  openUntil: number;
  account?: Account;
}

/** An account that a customer was shown. */
interface Account {
  id: string;
  create: Create;
  decided?: "approve" | "decline";
  confirmed: boolean;
  deleted: boolean;
}

/** What was measured of one operation; milliseconds. */
interface Row {
  times: number[];
  /** Those of them that met no fault. */
  undisturbed: number[];
}

/** A row of a customer's attempts. */
interface AttemptRow {
  id: string;
  owner: string;
  idempotency_key: string | null;
  state: string;
  link: string | null;
}

/** A row of a customer's links. */
interface LinkRow {
  id: string;
  owner: string;
  attempt: string;
  status: string;
  confirmed_at: number | null;
  deleting: number | null;
}

/** What is in a customer's object. */
interface Ledger {
  /** Which tables these are: random. */
  incarnation: string;
  attempts: AttemptRow[];
  links: LinkRow[];
  audited: number;
  /** Creates whose attempt is in the audit without its intent, and links without what made them. */
  unaudited: string[];
}

/** The same as one row; lists are JSON. */
interface LedgerRow {
  incarnation: string;
  audited: number;
  begun: number;
  attempts: string;
  links: string;
  unmade: string;
}

/** A fault that a request to Omise met. */
interface Struck {
  kind: string;
  at: number;
  /** The account that Omise was asked about. */
  account: string | undefined;
}

/** A customer whose patience for an answer is short. */
class Impatient extends Customer {
  readonly #signal: AbortSignal;

  constructor(url: string, session: Session, claims: Record<string, unknown>, ms: number) {
    super(url, session, claims);
    this.#signal = AbortSignal.timeout(ms);
  }

  override fetch(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    return super.fetch(method, path, { signal: this.#signal, ...init });
  }
}

/** A row of the sandbox's accounts. */
interface OmiseRow {
  id: string;
  status: string;
  metadata: string;
}

/** What is in a customer's object, in one answer: each call is a request to workerd. */
const LEDGER = `
  SELECT incarnation, (SELECT count(*) FROM audit) AS audited,
    (SELECT count(*) FROM audit WHERE action = 'create' AND outcome = 'begun') AS begun,
    (SELECT json_group_array(json_object('id', id, 'owner', subject, 'idempotency_key', idempotency_key, 'state', state,
       'link', link)) FROM attempts) AS attempts,
    (SELECT json_group_array(json_object('id', id, 'owner', subject, 'attempt', attempt, 'status', status,
       'confirmed_at', confirmed_at, 'deleting', deleting)) FROM links) AS links,
    (SELECT json_group_array(id) FROM links WHERE NOT EXISTS
       (SELECT 1 FROM audit WHERE audit.link = links.id AND action IN ('create', 'adopt') AND outcome <> 'begun')) AS unmade
  FROM meta`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    rate: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 0x7fff_ffff) },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);
const seed = Number(values.seed);
// of two generators: how often Omise is asked must not change what the customers do
const choices = xoroshiro128plus(seed);
const troubles = xoroshiro128plus(~seed);

const shoppers: Shopper[] = [];
const creates: Create[] = [];
const byKey = new Map<string, Create>();
const accounts: Account[] = [];
const byId = new Map<string, Account>();
/** Who is back from the bank, which events are to be sent, and which creates to be repeated. */
const returned: { account: Account; linkState: string }[] = [];
const events: { id: string; account: Account; data: unknown }[] = [];
const toRepeat: Create[] = [];

const rows = new Map<Operation, Row>();
const fifths: number[][] = [[], [], [], [], []];
const outcomes = new Map<string, number>();
/** The kinds of fault that a request of the Worker's met, by its id. */
const troubled = new Map<string, Set<string>>();
const faultCounts = new Map<string, number>();
/** The same, by the account that Omise was asked about: a reading is shared by all who ask for the account. */
const struck: Struck[] = [];
/** Lines of the Worker's log that tell of a failure which no request had, and how many alarms there were. */
const failures: { line: string; id: string }[] = [];
let alarms = 0;
/** How many requests were to be hung up on, and how many of those were not answered by then. */
let impatient = 0;
let hungUp = 0;
/** How late requests were sent, in milliseconds: the generator's own fault. */
const lateness: number[] = [];
/** Requests and visits that are not answered yet. */
const running = new Set<Promise<void>>();
let exchanges = 0;
let mostWaiting = 0;
let visits = 0;
let began = 0;
const firstDay = today();
/** Customers of whom anything was ever written. */
const written = new Set<string>();

/** What was seen that must not be, by the name of the check. */
const wrong = new Map<Check, string[]>();

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
mkdirSync(join(root, "target/load"), { recursive: true });
const folder = mkdtempSync(join(root, "target/load/state-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const secrets = randomSecrets();
const sandbox = await startSandbox({ secrets, statePath: join(folder, "sandbox") });
const relay = await Relay.start(sandbox.url);
const before = workerds();
const inspectorPort = await freePort();
const worker = await startWorker({
  omiseUrl: relay.url,
  storefrontUrl: STOREFRONT,
  secrets,
  statePath: join(folder, "worker"),
  // the bank's page is not behind the relay: customers get through
  bindings: { REGISTRATION_ORIGINS: sandbox.url, UPSTREAM_DEADLINE_MS: String(DEADLINE_MS) },
  inspectorPort,
  log: hear,
});
const [pid] = workerds().filter((pid) => !before.includes(pid));
try {
  process.exitCode = await main();
} finally {
  await worker.dispose();
  await relay.stop();
  await sandbox.dispose();
}
process.exit();

async function main(): Promise<number> {
  console.log(`${seconds} s at ${rate} requests a second, ${CUSTOMERS} customers, seed ${seed}\n`);
  for (let i = 0; i < CUSTOMERS; i++) {
    const name = `customer-${i}`;
    const customer = new Customer(worker.url, sessionOf(worker, secrets), { sub: name });
    shoppers.push({ name, customer, creates: [], accounts: [] });
  }
  relay.fault = strike;

  began = performance.now();
  const sampled = sampleMemory();
  const sent = await arrive();
  const took = elapsed();
  const memory = await sampled;
  await lastAnswers();

  relay.fault = () => undefined;
  await relay.idle();
  const left = await settleAll();
  const books = await compare();
  return report({ sent, took, memory, left, books });
}

/** Sends what is due until the time is over; how many requests that were. */
async function arrive(): Promise<number> {
  const total = Math.floor(seconds * rate);
  for (let i = 0; i < total; i++) {
    const due = began + (i * 1_000) / rate;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    if (running.size >= MAX_WAITING) {
      note(
        "the rate was held",
        `${running.size} requests wait for their answers after ${elapsed().toFixed(0)} s`,
      );
      return i;
    }
    lateness.push(performance.now() - due);
    const { operation, ask } = choose();
    start(ask(due), "every request was answered, as documented", operation);
    mostWaiting = Math.max(mostWaiting, running.size);
  }
  return total;
}

/** Lets something run; only the end waits for it. */
function start(work: Promise<void>, check: Check, what: string): void {
  const done = work
    .catch((error: unknown) =>
      note(check, `${what}: ${error instanceof Error ? (error.cause ?? error) : error}`),
    )
    .finally(() => running.delete(done));
  running.add(done);
}

/** Chooses the next request. What no customer is in a position to ask for gives way to a create. */
function choose(): { operation: Operation; ask: (due: number) => Promise<void> } {
  const operation = drawOperation();
  const someone = one(shoppers);
  // drawn whether or not they are needed, so that the next choice does not hang on this one
  const [pick, odds, mood, ms] = [
    integer(0, 0xffff),
    integer(0, 99),
    integer(0, 99),
    integer(1, MAX_PATIENCE_MS),
  ];
  const patience = mood < HANG_UPS_IN_100 ? ms : undefined;
  if (patience !== undefined) impatient++;
  const account = accounts[pick % Math.max(1, accounts.length)];
  const wanted = newCreate(someone);

  switch (operation) {
    case "repeat": {
      const create = toRepeat.shift() ?? creates.at(-1 - (pick % 20));
      if (create) return { operation, ask: (due) => askFor(operation, create, due, patience) };
      break;
    }
    case "retrieve":
    case "wait":
      if (account) return { operation, ask: (due) => retrieve(operation, account, due, patience) };
      break;
    case "list":
      return {
        operation,
        ask: (due) => page(operation, someone, "/linked_accounts?limit=100", due, patience),
      };
    case "search":
      // what every customer's metadata have
      return {
        operation,
        ask: (due) =>
          page(operation, someone, "/linked_accounts/search?query=customer-&per_page=100", due, patience),
      };
    case "confirm": {
      const back = returned.shift();
      if (back) return { operation, ask: (due) => confirm(back.account, back.linkState, due, patience) };
      break;
    }
    case "webhook": {
      const event = events.shift();
      if (event) return { operation, ask: (due) => deliver(event, due, patience) };
      break;
    }
    case "delete":
      // mostly those that can be
      if (account && (account.confirmed || odds < 10))
        return { operation, ask: (due) => unlink(account, due, patience) };
      break;
    case "foreign retrieve":
    case "foreign delete":
      if (account && account.create.shopper !== someone)
        return { operation, ask: (due) => trespass(operation, someone, account, due, patience) };
      break;
    case "create":
  }
  creates.push(wanted);
  byKey.set(wanted.key, wanted);
  someone.creates.push(wanted);
  return { operation: "create", ask: (due) => askFor("create", wanted, due, patience) };
}

function drawOperation(): Operation {
  let left = integer(0, 99);
  for (const [operation, share] of Object.entries(MIX) as [Operation, number][]) {
    left -= share;
    if (left < 0) return operation;
  }
  return "create";
}

function newCreate(shopper: Shopper): Create {
  const key = `key-${integer(0, 0x7fff_ffff).toString(36)}-${creates.length}`;
  const fate = integer(0, 99);
  return {
    shopper,
    key,
    params: {
      type: one(TYPES),
      // by these every answer is known, in whose hands it may be
      metadata: { customer: shopper.name, key },
      replace_pending: integer(0, 99) < 15,
    },
    decision: integer(0, 99) < 80 ? "approve" : "decline",
    afterwards: fate < 70 ? "returns" : fate < 85 ? "leaves" : "never goes there",
    asked: 0,
    asking: 0,
    overlapped: false,
    hungUpAt: Number.NEGATIVE_INFINITY,
    lost: false,
    openFrom: Number.POSITIVE_INFINITY,
    openUntil: Number.POSITIVE_INFINITY,
  };
}

/** Sends a request as a customer, who may hang up; `undefined` where they did, before the answer was there. */
async function send(
  operation: Operation,
  { customer }: Shopper,
  patience: number | undefined,
  ask: (customer: Customer) => Promise<Answer>,
): Promise<Answer | undefined> {
  if (patience === undefined) return await ask(customer);
  const { url, session, claims } = customer;
  try {
    return await ask(new Impatient(url, session, claims, patience));
  } catch (error) {
    return hangUp(operation, error);
  }
}

/** Notes that a request was hung up on. */
function hangUp(operation: Operation, error: unknown): undefined {
  if (!(error instanceof DOMException && error.name === "TimeoutError")) throw error;
  hungUp++;
  count(outcomes, `${operation}: hung up`);
}

async function askFor(
  operation: Operation,
  create: Create,
  due: number,
  patience: number | undefined,
): Promise<void> {
  const { shopper, key, params } = create;
  const sent = performance.now();
  create.openFrom = Math.min(create.openFrom, sent);
  if (!create.account?.decided) create.openUntil = Number.POSITIVE_INFINITY;
  create.asked++;
  create.asking++;
  create.overlapped = create.asking > 1;
  const answer = await send(operation, shopper, patience, (customer) => customer.create(params, key)).finally(
    () => create.asking--,
  );
  const end = performance.now();
  const again = () => void (create.asked <= MAX_REPEATS && toRepeat.push(create));
  if (!answer) {
    create.hungUpAt = end;
    again();
    return;
  }
  const disturbed = measure(operation, due, answer);
  see(shopper, answer);

  const open = shopper.creates.filter(
    (other) => other !== create && other.openFrom <= end && other.openUntil >= sent,
  );
  // of what is over already too, where a fault kept the Worker from seeing that: the refusal stands
  const inTheWay = (other: Create) => other !== create && other.params.type === params.type;
  const { reason } = answer.body;
  if (reason === "outcome_unknown") {
    create.lost ||= disturbed;
    again();
  }
  explain(operation, answer, sent, create.account?.id, {
    // as it was before: the key looks for what a fault has lost
    outcome_unknown: create.lost,
    // the call that was hung up on goes on
    attempt_in_flight: create.overlapped || sent - create.hungUpAt < DEADLINE_MS + SLACK_MS,
    attempt_abandoned: create.lost && end - create.openFrom > QUIET_MS,
    already_pending: open.some(inTheWay) || (disturbed && shopper.creates.some(inTheWay)),
  });
  if (answer.status === 200 && create.account?.id !== answer.body.id)
    note("a key makes one account", `${key}: ${answer.body.id}, and ${create.account?.id}`);
  // refused, or 429: the attempt made nothing
  const nothing = answer.status >= 400 && !["attempt_in_flight", "outcome_unknown"].includes(reason);
  const isHungUp = create.hungUpAt > Number.NEGATIVE_INFINITY;
  if (nothing && !create.account && !create.lost && !isHungUp && create.asking === 0) create.openUntil = end;
}

/** A customer asks for an account, at once or when the bank has decided. */
async function retrieve(
  operation: "retrieve" | "wait",
  account: Account,
  due: number,
  patience: number | undefined,
): Promise<void> {
  const { shopper } = account.create;
  const sent = performance.now();
  const headers: Record<string, string> = operation === "wait" ? { Prefer: `wait=${HELD}` } : {};
  const answer = await send(operation, shopper, patience, (customer) =>
    customer.fetch("GET", `/linked_accounts/${account.id}`, { headers }),
  );
  if (!answer) return;
  measure(operation, due, answer);
  see(shopper, answer);
  explain(operation, answer, sent, account.id);
  if (answer.status === 200 && answer.body.id !== account.id)
    note("no answer showed another's account", `${account.id} was asked for, ${answer.body.id} came`);
}

async function page(
  operation: "list" | "search",
  shopper: Shopper,
  path: string,
  due: number,
  patience: number | undefined,
): Promise<void> {
  const known = shopper.accounts.map(({ id }) => id);
  const sent = performance.now();
  const answer = await send(operation, shopper, patience, (customer) => customer.fetch("GET", path));
  if (!answer) return;
  measure(operation, due, answer);
  see(shopper, answer);
  explain(operation, answer, sent);
  if (answer.status !== 200 || answer.body.total > 100) return;
  const ids = new Set(answer.body.data.map(({ id }: { id: string }) => id));
  for (const id of known) {
    if (!ids.has(id)) note("what a customer was shown stays", `${shopper.name}'s ${operation}: no ${id}`);
  }
}

async function confirm(
  account: Account,
  linkState: string,
  due: number,
  patience: number | undefined,
): Promise<void> {
  const { shopper } = account.create;
  const sent = performance.now();
  const answer = await send("confirm", shopper, patience, (customer) => customer.confirm(linkState));
  if (answer?.status !== 200) returned.push({ account, linkState });
  if (!answer) return;
  measure("confirm", due, answer);
  see(shopper, answer);
  explain("confirm", answer, sent, account.id);
  if (answer.status !== 200) return;
  const { id, status, confirmed_at } = answer.body;
  account.confirmed = confirmed_at !== null;
  // what was unlinked meanwhile is not confirmed any more
  if (id !== account.id || (confirmed_at === null && status !== "deleted"))
    note("what a customer was shown stays", `${account.id} came back from the bank unconfirmed`);
}

async function unlink(account: Account, due: number, patience: number | undefined): Promise<void> {
  const { shopper, decided } = { shopper: account.create.shopper, decided: account.decided };
  const sent = performance.now();
  const answer = await send("delete", shopper, patience, (customer) => customer.delete(account.id));
  if (!answer) return;
  measure("delete", due, answer);
  see(shopper, answer);
  explain("delete", answer, sent, account.id, { not_registered: decided !== "approve" });
  if (answer.status === 200) {
    account.deleted = true;
    if (answer.body.status !== "deleted")
      note("what a customer was shown stays", `${account.id} is ${answer.body.status} when unlinked`);
  }
}

/** A customer asks for an account that is another's. */
async function trespass(
  operation: "foreign retrieve" | "foreign delete",
  shopper: Shopper,
  { id }: Account,
  due: number,
  patience: number | undefined,
): Promise<void> {
  const answer = await send(operation, shopper, patience, (customer) =>
    operation === "foreign retrieve" ? customer.get(id) : customer.delete(id),
  );
  if (!answer) return;
  measure(operation, due, answer);
  if (answer.status !== 404 || answer.body.reason !== "not_found" || JSON.stringify(answer.body).includes(id))
    note("another's account is like none", `${operation} of ${id}: ${answer.status}`);
}

/** Omise tells that the bank has answered; after a 5xx, and where it hung up itself, it does so again. */
async function deliver(
  event: (typeof events)[number],
  due: number,
  patience: number | undefined,
): Promise<void> {
  const body = JSON.stringify(eventOf(event.data, { id: event.id }));
  const sent = performance.now();
  const post = async () => {
    const headers = { ...signedHeaders(secrets.WEBHOOK_SECRET, body), Connection: "close" };
    const signal = patience === undefined ? null : AbortSignal.timeout(patience);
    const init = { method: "POST", headers, body, signal };
    return await readAnswer("POST", await fetch(`${worker.url}/webhooks/omise`, init));
  };
  const answer = await (patience === undefined ? post() : post().catch((error) => hangUp("webhook", error)));
  if (!answer || answer.status >= 500) events.push(event);
  if (!answer) return;
  measure("webhook", due, answer);
  explain("webhook", answer, sent, event.account.id);
  // who has hung up may have been heard all the same
  if (answer.status === 200 && !["updated", "unchanged", "seen"].includes(answer.body.outcome))
    note(
      "every request was answered, as documented",
      `webhook about ${event.account.id}: ${answer.body.outcome}`,
    );
}

/** The customer decides on the bank's page, and comes back, or does not. */
async function visitBank(account: Account, registrationUri: string): Promise<void> {
  const { create } = account;
  if (create.afterwards === "never goes there") return;
  const response = await fetch(new URL("/register", registrationUri), {
    method: "POST",
    redirect: "manual",
    headers: { Connection: "close" },
    body: new URLSearchParams({ ref: account.id, account: "savings", action: create.decision }),
  });
  await response.arrayBuffer();
  visits++;
  const to = response.headers.get("Location") ?? "";
  const linkState = URL.canParse(to) ? new URL(to).searchParams.get("link_state") : null;
  if (response.status !== 303 || !linkState)
    throw new Error(`the bank answered ${response.status} about ${account.id}`);
  account.decided = create.decision;
  create.openUntil = performance.now();
  if (create.afterwards === "returns") returned.push({ account, linkState });
  // half of the events come; the others the customer or the alarm makes good. Every other one shows the account, with its stamp
  const last = account.id.charCodeAt(account.id.length - 1);
  if (last % 2 !== 0) return;
  const data = last % 4 === 0 ? await atOmise(account.id) : { object: "linked_account", id: account.id };
  events.push({ id: `evnt_test_${account.id.slice("lnac_test_".length)}`, account, data });
}

/** An account as Omise shows it to the shop. */
async function atOmise(id: string): Promise<unknown> {
  const headers = { Authorization: `Basic ${btoa(`${secrets.OMISE_SECRET_KEY}:`)}`, Connection: "close" };
  const response = await fetch(`${sandbox.url}/linked_accounts/${id}`, { headers });
  if (response.status !== 200) throw new Error(`the sandbox answered ${response.status} about ${id}`);
  return await response.json();
}

/** Looks at every account of an answer: each has to be this customer's. */
function see(shopper: Shopper, { body }: Answer): void {
  const shown = body.object === "linked_account" ? [body] : (body.data ?? [body.linked_account]);
  for (const account of shown) {
    if (!account) continue;
    const { id, metadata, registration_uri } = account;
    const create = byKey.get(metadata.key);
    if (metadata.customer !== shopper.name || create?.shopper !== shopper) {
      note("no answer showed another's account", `${shopper.name} was shown ${id} of ${metadata.customer}`);
      continue;
    }
    if (byId.has(id)) continue;
    if (create.account) note("a key makes one account", `${create.key}: ${create.account.id}, and ${id}`);
    const seen = { id, create, confirmed: false, deleted: false };
    create.account = seen;
    accounts.push(seen);
    byId.set(id, seen);
    shopper.accounts.push(seen);
    start(visitBank(seen, registration_uri), "the bank could be visited", id);
  }
}

/** Notes how long it took, and what came; whether a fault was met. */
function measure(operation: Operation, due: number, answer: Answer): boolean {
  const time = performance.now() - due;
  const id = answer.headers.get("X-Request-Id") ?? "";
  const met = troubled.has(id);
  const row = rows.get(operation) ?? { times: [], undisturbed: [] };
  rows.set(operation, row);
  row.times.push(time);
  if (!met) row.undisturbed.push(time);
  if (operation !== "wait") fifths[fifth((due - began) / 1_000)]?.push(time);
  const what = answer.status === 200 ? "200" : `${answer.status} ${answer.body.reason}`;
  count(outcomes, `${operation}: ${what}`);
  return met;
}

/**
 * An error is explained by a fault that its own request met, or a reading of the account that it shared with another; or by what the
 * customer did: `may` says which reasons that has.
 */
function explain(
  operation: Operation,
  answer: Answer,
  sent: number,
  account?: string,
  may: Record<string, boolean> = {},
): void {
  if (answer.status === 200) return;
  const { reason, request_id } = answer.body;
  const since = sent - DEADLINE_MS - SHARED_MS - SLACK_MS;
  const shared = struck.filter(
    (fault) => account !== undefined && fault.account === account && fault.at >= since,
  );
  const kinds = [...(troubled.get(request_id) ?? []), ...shared.map(({ kind }) => kind)];
  if (may[reason] || kinds.some((kind) => FAULTS[kind]?.reasons.includes(reason))) return;
  const met = kinds.length > 0 ? kinds.join(" and ") : "no fault";
  note("every error has its cause", `${operation}: ${answer.status} ${reason}, and there was ${met}`);
}

/** Decides what happens to a request of the Worker's. */
function strike({ method, path, headers, body }: Exchange): Fault | undefined {
  exchanges++;
  if (trouble(1, 10_000) > FAULTS_IN_10_000) return undefined;
  const kind = FAULT_NAMES[trouble(0, FAULT_NAMES.length - 1)] ?? "";
  count(faultCounts, kind);
  const id = String(headers["x-request-id"]);
  troubled.set(id, (troubled.get(id) ?? new Set()).add(kind));
  struck.push({ kind, at: performance.now(), account: /^\/linked_accounts\/(\w+)/.exec(path)?.[1] });
  // the request may have been hung up on: its customer does not learn its id
  const create =
    method === "POST" ? byKey.get(new URLSearchParams(body).get("metadata[key]") ?? "") : undefined;
  if (create && FAULTS[kind]?.reasons.includes("outcome_unknown")) create.lost = true;
  return FAULTS[kind]?.draw();
}

/** Reads the Worker's log. */
function hear(line: string): void {
  const start = line.indexOf("{");
  let told: { request_id?: string; part?: string; route?: string; status?: number; reason?: string } = {};
  try {
    told = start < 0 ? {} : JSON.parse(line.slice(start));
  } catch {
    // not one of the Worker's own lines
  }
  if (told.route === "alarm") alarms++;
  if (
    told.status === 500 ||
    (told.route === "alarm" && told.reason) ||
    /Reinitializing|overloaded/.test(line)
  )
    failures.push({ line, id: told.request_id ?? "" });
}

/** Looks at memory for as long as requests come. */
async function sampleMemory(): Promise<Sample[]> {
  const samples: Sample[] = [];
  const isolates = await openIsolates(inspectorPort).catch((error: unknown) => {
    note("memory is flat", `there is no inspector: ${error}`);
    return [];
  });
  while (isolates.length > 0 && going()) {
    await sleep((seconds * 1_000) / SAMPLES);
    const heaps = await Promise.all(isolates.map(collect));
    samples.push({ at: elapsed(), heap: heaps[0] ?? Number.NaN, resident: residentMib(pid) });
  }
  for (const { close } of isolates) close();
  return samples;
}

function going(): boolean {
  return elapsed() < seconds && !wrong.has("the rate was held");
}

async function lastAnswers(): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  // a visit to the bank begins when a create ends
  while (running.size > 0 && !patience.aborted) await Promise.race([...running, once(patience, "abort")]);
  if (running.size > 0) note("every request was answered, as documented", `${running.size} never were`);
}

/** Runs the alarms of all customers' objects until nothing is due; says how much there was. */
async function settleAll(): Promise<string> {
  let [attempts, links] = [0, 0];
  await ofEach(async ({ name }) => {
    const object = worker.customer(name);
    const [table] = await object.sql("SELECT 1 FROM sqlite_master WHERE name = 'meta'");
    if (!table) return;
    written.add(name);
    const inDoubt = await object.sql(
      "UPDATE attempts SET look_at = 0 WHERE look_at IS NOT NULL RETURNING id",
    );
    // those that the bank has decided on, and deletions whose outcome is not known
    const unread = await object.sql("UPDATE links SET due_at = 0 WHERE due_at IS NOT NULL RETURNING id");
    attempts += inDoubt.length;
    links += unread.length;
    const patience = performance.now() + PATIENCE_MS;
    for (;;) {
      await object.runAlarm();
      // a look goes on with the next page after a second or two
      const soon = Date.now() + LOOKED_MS;
      const more = await object.sql("UPDATE attempts SET look_at = 0 WHERE look_at < ? RETURNING id", soon);
      const due = await object.sql("SELECT id FROM links WHERE due_at < ?", Date.now());
      if (more.length + due.length === 0) return;
      if (performance.now() > patience) {
        note("the alarms get to everything", `${name}: ${more.length} attempts, ${due.length} links`);
        return;
      }
    }
  });
  return `${attempts} attempts in doubt, ${links} links to read`;
}

/** Does something about every customer, some at a time. */
async function ofEach(work: (shopper: Shopper) => Promise<void>): Promise<void> {
  const left = [...shoppers];
  const one = async () => {
    for (let next = left.pop(); next; next = left.pop()) await work(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Memory after a collection: what is alive in the Worker's isolate, and what its process has; MiB. */
interface Sample {
  at: number;
  heap: number;
  resident: number;
}

interface Books {
  made: number;
  owned: number;
  states: Map<string, number>;
}

/** What is in a customer's object; `undefined` where there never was anything. */
async function read(name: string): Promise<Ledger | undefined> {
  if (!written.has(name)) return undefined;
  const [row] = await worker.customer(name).sql<LedgerRow>(LEDGER);
  if (!row) throw new Error(`${name} has no subject`);
  const { incarnation, audited, begun } = row;
  const [attempts, links, unaudited] = [row.attempts, row.links, row.unmade].map((text) =>
    JSON.parse(text ?? ""),
  );
  if (begun !== attempts.length) unaudited.push(`${begun} intents of ${attempts.length} attempts`);
  return { incarnation, attempts, links, audited, unaudited };
}

/** Compares the books of the sandbox, the Worker and the customers. */
async function compare(): Promise<Books> {
  const ledgers = new Map<string, Ledger>();
  await ofEach(async ({ name }) => {
    const ledger = await read(name);
    if (ledger) ledgers.set(name, ledger);
  });
  const attempts = [...ledgers.values()].flatMap((ledger) => ledger.attempts);
  const links = [...ledgers.values()].flatMap((ledger) => ledger.links);
  const omise = await all<OmiseRow>(await sandbox.db(), "accounts", "id, status, metadata");
  const attemptOf = new Map(attempts.map((row) => [row.id, row]));
  const linkOf = new Map(links.map((row) => [row.id, row]));
  const omiseOf = new Map(omise.map((row) => [row.id, row]));

  const made = new Set<string>();
  const idsOf = new Map<string, Set<string>>(shoppers.map(({ name }) => [name, new Set()]));
  let owned = 0;
  for (const { id, status, metadata } of omise) {
    const { [STAMP]: sealed, customer, key } = JSON.parse(metadata);
    idsOf.get(customer)?.add(id);
    const stamp = openStamp(secrets.LEDGER_KEY, sealed ?? "");
    const attempt = attemptOf.get(stamp?.attempt ?? "");
    const link = linkOf.get(id);
    const create = byKey.get(key);
    const mine =
      [attempt?.owner, link?.owner, create?.shopper.name].every((owner) => owner === customer) &&
      stamp?.object === objectName(customer);
    if (mine && link?.attempt === stamp?.attempt && attempt?.link === id && attempt?.idempotency_key === key)
      owned++;
    else
      note("every account is its owner's", `${id} of ${customer}: ${attempt?.state}, linked: ${link?.owner}`);
    const of = stamp?.attempt ?? "none";
    if (made.has(of)) note("no attempt made two accounts", `${of}, of ${customer}`);
    made.add(of);
    if (link && link.status !== status)
      note("the ledger says what Omise says", `${id} is ${status}, and ${link.status} in the ledger`);
  }
  for (const { id, create, confirmed, deleted } of byId.values()) {
    const link = linkOf.get(id);
    if (link?.owner !== create.shopper.name || !omiseOf.has(id))
      note("what a customer was shown stays", `${id} of ${create.shopper.name} is gone`);
    if (deleted && (link?.status !== "deleted" || omiseOf.get(id)?.status !== "deleted"))
      note("what a customer was shown stays", `${id} is not unlinked`);
    if (confirmed && !link?.confirmed_at && link?.status !== "deleted")
      note("what a customer was shown stays", `${id} is not confirmed`);
  }
  for (const { id, owner, deleting } of links) {
    if (!idsOf.get(owner)?.has(id)) note("every account is its owner's", `${id} of ${owner} is not at Omise`);
    if (deleting !== null) note("the alarms get to everything", `whether ${id} was unlinked is not known`);
  }
  const delivered = await deliveredOf();
  for (const [name, { incarnation, audited, unaudited }] of ledgers) {
    const got = delivered.get(incarnation) ?? 0;
    if (got !== audited)
      note("the audit is whole, and in the audit log", `${name}: ${got} of ${audited} entries`);
    for (const what of unaudited) note("the audit is whole, and in the audit log", `${name}: ${what}`);
  }

  // and as the customers see it
  await ofEach(async ({ name, customer }) => {
    const ids = new Set<string>();
    for (let offset = 0, total = 1; offset < total; offset += 100) {
      const { status, body } = await customer.fetch("GET", `/linked_accounts?limit=100&offset=${offset}`);
      if (status !== 200) throw new Error(`${name} cannot list: ${status}`);
      total = body.total;
      for (const { id } of body.data) ids.add(id);
    }
    const expected = idsOf.get(name) ?? new Set();
    if (ids.size !== expected.size || [...expected].some((id) => !ids.has(id)))
      note("each customer lists their own", `${name} sees ${ids.size} accounts of ${expected.size}`);
  });

  const states = new Map<string, number>();
  for (const { state } of attempts) count(states, state);
  return { made: omise.length, owned, states };
}

/** How many entries the audit log has of each incarnation of a customer's tables. */
async function deliveredOf(): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const day of new Set([firstDay, today()])) {
    const rows = await worker
      .auditLog(day)
      .sql<{ incarnation: string; n: number }>("SELECT incarnation, count(*) AS n FROM entries GROUP BY 1");
    for (const { incarnation, n } of rows) counts.set(incarnation, (counts.get(incarnation) ?? 0) + n);
  }
  return counts;
}

/** A whole table, in parts that are not too long for one answer. */
async function all<Row extends { id: string }>(db: Database, table: string, columns: string): Promise<Row[]> {
  const found: Row[] = [];
  for (;;) {
    const sql = `SELECT ${columns} FROM ${table} WHERE id > ? ORDER BY id LIMIT 1000`;
    const { results } = await db
      .prepare(sql)
      .bind(found.at(-1)?.id ?? "")
      .all<Row>();
    found.push(...results);
    if (results.length < 1000) return found;
  }
}

interface Results {
  sent: number;
  took: number;
  memory: Sample[];
  left: string;
  books: Books;
}

/** Prints what was seen; the exit code. */
function report({ sent, took, memory, left, books }: Results): number {
  const achieved = sent / took;
  console.log(
    `asked for ${rate} requests a second, sent ${achieved.toFixed(1)}: ${sent} in ${took.toFixed(1)} s`,
  );
  console.log(
    `at most ${mostWaiting} waited at once; they were sent up to ${ms(quantile(lateness, 0.99))} ms late (p99)`,
  );
  console.log(`${impatient} were to be hung up on, ${hungUp} of them before they were answered`);

  table(
    ["milliseconds", "requests", "p50", "p90", "p99", "max", "p99 without faults"],
    [...Object.keys(MIX)].map((operation) => {
      const { times, undisturbed } = rows.get(operation as Operation) ?? { times: [], undisturbed: [] };
      const quantiles = [0.5, 0.9, 0.99, 1].map((q) => ms(quantile(times, q)));
      return [operation, String(times.length), ...quantiles, ms(quantile(undisturbed, 0.99))];
    }),
  );
  table(
    ["fifth", "requests", "p50", "p90", "p99", "max"],
    fifths.map((times, i) => [
      String(i + 1),
      String(times.length),
      ...[0.5, 0.9, 0.99, 1].map((q) => ms(quantile(times, q))),
    ]),
  );
  table(
    ["answers", "times"],
    [...outcomes].sort().map(([what, n]) => [what, String(n)]),
  );
  const faults = [...faultCounts.values()].reduce((sum, n) => sum + n, 0);
  table(
    [`faults, of ${exchanges} requests to Omise`, "times"],
    [...FAULT_NAMES.map((name) => [name, String(faultCounts.get(name) ?? 0)]), ["in all", String(faults)]],
  );
  const state = (name: string) => String(books.states.get(name) ?? 0);
  table(
    ["books", ""],
    [
      ["visits to the bank", String(visits)],
      ["accounts made", String(books.made)],
      ["accounts owned", String(books.owned)],
      ["attempts in doubt", state("asked")],
      ["attempts refused", state("refused")],
      ["attempts abandoned", state("abandoned")],
      ["alarms", String(alarms)],
      ["left for the alarms at the end", left],
    ],
  );
  // a collection that did not end in time has no figure
  const memoryOf = (i: number, what: "heap" | "resident") =>
    memory
      .filter(({ at }) => fifth(at) === i)
      .map((sample) => sample[what])
      .filter(Number.isFinite);
  table(
    ["MiB after collections", "samples", "heap: min", "median", "max", "process: min", "median", "max"],
    fifths.map((_, i) => [
      `fifth ${i + 1}`,
      String(memoryOf(i, "heap").length),
      ...[0, 0.5, 1].map((q) => quantile(memoryOf(i, "heap"), q)?.toFixed(2) ?? "-"),
      ...[0, 0.5, 1].map((q) => quantile(memoryOf(i, "resident"), q)?.toFixed(0) ?? "-"),
    ]),
  );
  const judged = seconds / 5 >= JUDGED_FIFTH;
  if (!judged) console.log("(fifths of less than a minute are all warming up: not judged)");
  for (const what of judged ? (["heap", "resident"] as const) : []) {
    const [second, last] = [1, 4].map((i) => quantile(memoryOf(i, what), 0.5));
    if (!(second && last && last <= second * (1 + MEMORY_GROWTH) + MEMORY_NOISE))
      note(
        "memory is flat",
        `${what}: ${second?.toFixed(2)} MiB in the second fifth, ${last?.toFixed(2)} in the last`,
      );
  }
  console.log();

  judge(achieved, faults);
  const failed = CHECKS.filter((name) => wrong.has(name));
  for (const name of CHECKS) {
    const seen = wrong.get(name) ?? [];
    console.log(`${seen.length === 0 ? "ok    " : "FAILED"}  ${name}`);
    for (const line of seen.slice(0, 10)) console.log(`          ${line}`);
    if (seen.length > 10) console.log(`          and ${seen.length - 10} more`);
  }
  console.log(`\n${CHECKS.length - failed.length} passed, ${failed.length} failed`);
  return failed.length > 0 ? 1 : 0;
}

/** What can be said only when all is over. */
function judge(achieved: number, faults: number): void {
  if (achieved < 0.99 * rate) note("the rate was held", `${achieved.toFixed(1)} a second`);
  if (faults === 0) note("faults were met", "none");
  if (hungUp === 0) note("clients hung up", "none");
  // an alarm that meets a fault tries again
  for (const { line, id } of failures) if (!troubled.has(id)) note("no alarm and no object failed", line);
}

function table(head: string[], lines: string[][]): void {
  const all = [head, ...lines];
  const widths = head.map((_, i) => Math.max(...all.map((line) => line[i]?.length ?? 0)));
  console.log();
  for (const line of all) {
    const cells = line.map((text, i) =>
      i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0),
    );
    console.log(cells.join("  ").trimEnd());
  }
}

function note(check: Check, text: string): void {
  wrong.set(check, [...(wrong.get(check) ?? []), text]);
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** A choice of the customers'. */
function integer(from: number, to: number): number {
  return uniformInt(choices, from, to);
}

/** A choice of misfortune's. */
function trouble(from: number, to: number): number {
  return uniformInt(troubles, from, to);
}

function one<T>(of: T[]): T {
  return of[integer(0, of.length - 1)] as T;
}

/** The UTC day, as audit logs are named. */
function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/** Seconds since the first request was due. */
function elapsed(): number {
  return (performance.now() - began) / 1_000;
}

/** Which fifth of the time a second is in. */
function fifth(second: number): number {
  return Math.min(4, Math.floor((second * 5) / seconds));
}

/** The nearest rank; undefined of nothing. */
function quantile(values: number[], q: number): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)];
}

function ms(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(value < 10 ? 1 : 0);
}

/** How much memory a process has, in MiB. */
function residentMib(pid: number | undefined): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1_024;
}

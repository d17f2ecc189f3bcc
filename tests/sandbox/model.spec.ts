// Whatever is done to the sandbox in whatever order, it answers as a small model of the documentation does: each answer is compared
// in full, and so is the list of all accounts in the end.
//
// SEED=… has the same sequences again, FULL=1 many more of them.

import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { controlled } from "./control.ts";
import { type Answer, basic, read } from "./sandbox.ts";

const RUNS = process.env.FULL ? 10_000 : 500;
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31);

// with a seed, a sequence that fails does so with the same ids again
const { url, call, answer, control } = await controlled({ SEED: "1" });

/** Where the sandbox's clock stands at first. */
const START = Date.parse("2026-01-01T00:00:00Z");
const HOUR = 60 * 60 * 1_000;
const DAY = 24 * HOUR;
const iso = (time: number) => `${new Date(time).toISOString().slice(0, 19)}Z`;

const TYPES = ["bay", "bbl", "kbank", "ktb", "scb"].map((bank) => `direct_debit_${bank}`);
const STATUSES = ["pending", "successful", "failed", "expired", "deleted"];
const ORDERS = ["chronological", "reverse_chronological"];
const RETURN_URI = "https://shop.example/return?order=7";
const CITIZEN_IDS = ["1101700230708", "AA1234567"];

// The model

/** What the documentation knows of an account. */
interface Account {
  id: string;
  type: string;
  metadata: Record<string, unknown>;
  status: string;
  last_digits: string | null;
  failure_code: string | null;
  failure_message: string | null;
  registered: number | null;
  expires: number;
  created: number;
}

/** All accounts, by the documentation alone. */
class Model {
  readonly #accounts: Account[] = [];
  now = START;

  /** A new account: it has a day to be registered. */
  add(id: string, type: string, metadata: Record<string, unknown>): Account {
    const account = {
      id,
      type,
      metadata,
      status: "pending",
      last_digits: null,
      failure_code: null,
      failure_message: null,
      registered: null,
      expires: this.now + DAY,
      created: this.now,
    };
    this.#accounts.push(account);
    return account;
  }

  /** One of the accounts, as it is now. */
  pick(which: number): Account | undefined {
    return this.all()[which % this.#accounts.length];
  }

  /** All, as they are now, in the order in which they were made. */
  all(): Account[] {
    for (const account of this.#accounts) {
      if (account.status === "pending" && account.expires <= this.now) account.status = "expired";
    }
    return this.#accounts;
  }

  /** Those that fit. Which of the same second comes first is not documented: here it is the one with the lower id. */
  part(fits: (account: Account) => boolean, order: string): Account[] {
    const key = ({ created, id }: Account) => iso(created) + id;
    const found = this.all()
      .filter(fits)
      .sort((a, b) => (key(a) < key(b) ? -1 : 1));
    return order === "chronological" ? found : found.reverse();
  }
}

/** The documented object. */
const show = (account: Account) => ({
  object: "linked_account",
  id: account.id,
  livemode: false,
  location: `/linked_accounts/${account.id}`,
  registration_uri: `${url}/register?ref=${account.id}`,
  return_uri: RETURN_URI,
  type: account.type,
  status: account.status,
  last_digits: account.last_digits,
  metadata: account.metadata,
  failure_code: account.failure_code,
  failure_message: account.failure_message,
  registered_at: account.registered === null ? null : iso(account.registered),
  expires_at: iso(account.expires),
  created_at: iso(account.created),
});

/** The documented error. */
const error = (code: string, message: string) => ({
  object: "error",
  location: `https://www.omise.co/api-errors#${code.replaceAll("_", "-")}`,
  code,
  message,
});

/** Compares an answer to the last letter. */
function expect(found: Answer, status: number, body: object): void {
  assert.equal(found.text, `${JSON.stringify(body, null, 2)}\n`);
  assert.equal(found.status, status);
  assert.equal(found.headers.get("content-type"), "application/json; charset=utf-8");
  assert.equal(found.headers.get("omise-version"), "2019-05-29");
}

const expectNotFound = (found: Answer, id: string) =>
  expect(found, 404, error("not_found", `linked account ${id} was not found`));
const expectBadRequest = (found: Answer, message: string) =>
  expect(found, 400, error("bad_request", message));

// What can be done

type Command = fc.AsyncCommand<Model, object>;

/** Something that can be done at any time. */
function step<Args>(
  name: string,
  args: fc.Arbitrary<Args>,
  run: (model: Model, args: Args) => Promise<void>,
): fc.Arbitrary<Command> {
  return args.map((args) => ({
    check: () => true,
    run: (model) => run(model, args),
    toString: () => `${name} ${JSON.stringify(args)}`,
  }));
}

/** Something that can be done with an account, once there is one. */
function stepWith<Args extends object>(
  name: string,
  args: fc.Arbitrary<Args>,
  run: (account: Account, args: Args, model: Model) => Promise<void>,
): fc.Arbitrary<Command> {
  return fc.record({ which: fc.nat({ max: 7 }), args }).map(({ which, args }) => ({
    check: (model) => model.all().length > 0,
    run: async (model) => await run(model.pick(which) ?? assert.fail(), args, model),
    toString: () => `${name} #${which} ${JSON.stringify(args)}`,
  }));
}

const NOTHING = fc.constant({});
const few = <T>(...values: T[]) => fc.constantFrom(...values);
const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const query = (fields: Record<string, unknown>) => {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
};

const post = async (fields: Record<string, unknown>, json: boolean): Promise<Answer> => {
  if (json) {
    const headers = { "content-type": "application/json" };
    return await call("POST", "/linked_accounts", { headers, body: JSON.stringify(fields) });
  }
  const { metadata = {}, ...rest } = fields;
  const body = new URLSearchParams(query(rest));
  for (const [name, value] of Object.entries(metadata ?? {})) body.append(`metadata[${name}]`, String(value));
  return await call("POST", "/linked_accounts", { body });
};

const WORDS = ["red apple", "Green Apple", "pear", "plum tart", "", 17, true];
const metadata = fc.dictionary(few("note", "order", "colour"), few(...WORDS), {
  maxKeys: 2,
  noNullPrototype: true,
});

const create = step(
  "create",
  fc.record({ type: few(...TYPES), metadata, citizen_id: seldom(few(...CITIZEN_IDS)), json: fc.boolean() }),
  async (model, { json, ...fields }) => {
    const made = await post({ return_uri: RETURN_URI, ...fields }, json);
    const id = made.body.id;
    assert.match(id, /^lnac_test_[0-9a-z]{19}$/);
    assert.ok(model.all().every((account) => account.id !== id));
    // a form has no other values than texts
    const texts = Object.entries(fields.metadata).map(([name, value]) => [
      name,
      json ? value : String(value),
    ]);
    expect(made, 200, show(model.add(id, fields.type, Object.fromEntries(texts))));
  },
);

const GOOD = { type: "direct_debit_scb", return_uri: RETURN_URI };
const REFUSED: [Record<string, unknown>, string][] = [
  [{}, "Type is required"],
  [{ return_uri: RETURN_URI }, "Type is required"],
  [{ ...GOOD, type: "direct_debit_nobank" }, "Type is not supported"],
  [{ type: "direct_debit_scb" }, "Return uri is required"],
  [{ ...GOOD, return_uri: "/return" }, "Return uri is not a valid URI"],
  [{ ...GOOD, citizen_id: "1101700230709" }, "Citizen id is invalid"],
  [{ ...GOOD, metadata: { note: "a".repeat(15_000) } }, "Metadata is too long"],
];
const createRefused = step(
  "create, to be refused",
  fc.record({ which: fc.nat({ max: REFUSED.length - 1 }), json: fc.boolean() }),
  async (_, { which, json }) => {
    const [fields, message] = REFUSED[which] ?? assert.fail();
    expectBadRequest(await post(fields, json), message);
  },
);

const retrieve = stepWith("retrieve", NOTHING, async (account) =>
  expect(await call("GET", `/linked_accounts/${account.id}`), 200, show(account)),
);

const remove = stepWith("delete", NOTHING, async (account) => {
  const found = await call("DELETE", `/linked_accounts/${account.id}`);
  if (account.status !== "successful") return expectBadRequest(found, "linked account is not registered");
  account.status = "deleted";
  expect(found, 200, show(account));
});

const unknown = step(
  "retrieve or delete what is not there",
  fc.record({
    method: few("GET", "DELETE"),
    id: few("lnac_test_5zylnmmt2kl9chq3ip1", "lnac_test_5zylnmmt2kl9chq3ip", "lacct_test_1", "nothing"),
  }),
  async (_, { method, id }) => expectNotFound(await call(method, `/linked_accounts/${id}`), id),
);

const anotherKey = stepWith(
  "with another key",
  few({ method: "GET" }, { method: "DELETE" }),
  async (account, init) => {
    const headers = { authorization: basic("skey_test_5xuy4w91xqz7d1w9u0t") };
    const found = await read(await fetch(`${url}/linked_accounts/${account.id}`, { ...init, headers }));
    expect(found, 401, error("authentication_failure", "authentication failed"));
  },
);

/** A time, by how far it is from now. */
const time = few(-3 * DAY, -DAY, -HOUR, 0, DAY);
const list = step(
  "list",
  fc.record({
    limit: seldom(few(0, 1, 2, 3, 100, 101)),
    offset: seldom(fc.nat({ max: 4 })),
    order: seldom(few(...ORDERS)),
    from: seldom(time),
    to: seldom(time),
  }),
  async (model, { from: since, to: until, ...given }) => {
    const times = {
      from: since === undefined ? undefined : iso(model.now + since),
      to: until === undefined ? undefined : iso(model.now + until),
    };
    const found = await call("GET", `/linked_accounts?${query({ ...given, ...times })}`);
    const { limit = 20, offset = 0, order = "chronological" } = given;
    const { from = iso(0), to = iso(model.now) } = times;
    if (limit < 1 || limit > 100) return expectBadRequest(found, "limit: expected a number from 1 to 100");
    const all = model.part(({ created }) => from <= iso(created) && iso(created) <= to, order);
    expect(found, 200, {
      object: "list",
      data: all.slice(offset, offset + limit).map(show),
      limit,
      offset,
      total: all.length,
      location: "/linked_accounts",
      order,
      from,
      to,
    });
  },
);

/** Words that are in many accounts, or what only one of them has. */
const words = fc.oneof(
  few("apple", "GREEN", "tart", "17", "7", "rue", "nowhere").map((word) => ({ word })),
  fc.record({ of: few("id" as const, "last_digits" as const), which: fc.nat({ max: 7 }) }),
);
/** Days, or the first and the last one of some, by how many ago. */
const days = few([0], [1], [2], [1, 0], [5, 2]);
const search = step(
  "search",
  fc.record({
    words: seldom(words),
    status: seldom(few(...STATUSES, "open")),
    type: seldom(few(...TYPES)),
    days: seldom(days),
    page: seldom(few(2, 3, 0)),
    per_page: seldom(few(1, 2, 100)),
    order: seldom(few(...ORDERS)),
    scoped: fc.boolean(),
  }),
  async (model, { words, status, type, days, scoped, ...given }) => {
    const day = (ago: number) => iso(model.now - ago * DAY).slice(0, 10);
    const created = days?.map(day).join("..");
    const text =
      words === undefined ? "" : "word" in words ? words.word : (model.pick(words.which)?.[words.of] ?? "");
    const filters = { created, status, type };
    const named = Object.entries(filters).map(([name, value]) => [`filters[${name}]`, value]);
    const fields = { ...given, ...Object.fromEntries(named), query: text || undefined };
    const found = scoped
      ? await call("GET", `/search?${query({ scope: "linked_account", ...fields })}`)
      : await call("GET", `/linked_accounts/search?${query(fields)}`);

    const { page = 1, per_page = 30, order = "chronological" } = given;
    const faults = [
      status === "open" && "filters[status]: expected pending, successful, failed, expired or deleted",
      page === 0 && "page: expected a number from 1 to 10000000",
    ].filter(Boolean);
    if (faults.length > 0) return expectBadRequest(found, faults.join("; "));

    const [first = "", last = first] = created?.split("..") ?? [];
    const all = model.part((account) => {
      const on = iso(account.created).slice(0, 10);
      const texts = [account.id, account.last_digits ?? "", ...Object.values(account.metadata).map(String)];
      return (
        (status === undefined || account.status === status) &&
        (type === undefined || account.type === type) &&
        (created === undefined || (first <= on && on <= last)) &&
        texts.some((value) => value.toLowerCase().includes(text.toLowerCase()))
      );
    }, order);
    expect(found, 200, {
      object: "search",
      export: null,
      data: all.slice((page - 1) * per_page, page * per_page).map(show),
      page,
      per_page,
      total: all.length,
      total_pages: Math.ceil(all.length / per_page),
      filters,
      location: "/search",
      order,
      query: text,
      scope: "linked_account",
      aggregate_level: null,
    });
  },
);

// The bank is no part of the documentation: once an account was answered for, or its time is over, nothing changes any more.

const answered = stepWith(
  "answer at the bank",
  few<Record<string, string>>(
    { action: "approve", account: "savings" },
    { action: "approve", account: "current" },
    { action: "decline" },
  ),
  async (account, form, { now }) => {
    const { status, headers } = await answer(account.id, form);
    if (account.status !== "pending") {
      assert.deepEqual([status, headers.get("location")], [account.status === "expired" ? 410 : 200, null]);
      return;
    }
    assert.deepEqual([status, headers.get("location")], [303, RETURN_URI]);
    // which digits and which reason, only the bank knows
    const found = await call("GET", `/linked_accounts/${account.id}`);
    const { last_digits, failure_code, failure_message } = found.body;
    if (form.action === "approve") {
      assert.match(last_digits, /^\d{4}$/);
      Object.assign(account, { status: "successful", last_digits, registered: now });
    } else {
      assert.match(failure_code, /^[a-z_]+$/);
      assert.match(failure_message, /^[A-Z].*\.$/);
      Object.assign(account, { status: "failed", failure_code, failure_message });
    }
    expect(found, 200, show(account));
  },
);

const looked = stepWith("look at the bank", NOTHING, async (account) => {
  const { status } = await fetch(`${url}/register?ref=${account.id}`);
  assert.equal(status, account.status === "expired" ? 410 : 200);
});

const pass = step(
  "let time pass",
  few(1_000, HOUR, 12 * HOUR, DAY - 1_000, DAY, 3 * DAY),
  async (model, time) => {
    assert.equal((await control("PUT", "/clock", { advance: time / 1_000 })).status, 200);
    model.now += time;
  },
);

const commands = fc.commands(
  // as often as they stand here
  [create, create, create, createRefused, answered, answered, answered, remove, remove, pass, pass].concat([
    retrieve,
    list,
    list,
    search,
    search,
    search,
    unknown,
    anotherKey,
    looked,
  ]),
  { maxCommands: 12, size: "max" },
);

test(`${RUNS} sequences, SEED=${SEED}`, async () => {
  const property = fc.asyncProperty(commands, async (commands) => {
    assert.equal((await control("DELETE", "/state")).status, 204);
    const model = new Model();
    await fc.asyncModelRun(() => ({ model, real: {} }), commands);
    const data = model.part(() => true, "chronological").map(show);
    const all = await call("GET", "/linked_accounts?limit=100");
    assert.deepEqual([all.body.data, all.body.total], [data, data.length]);
    for (const id of CITIZEN_IDS) assert.ok(!all.text.includes(id));
  });
  await fc.assert(property, { numRuns: RUNS, seed: SEED });
});

// A Worker with so many customers, and what they do.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { OPERATE, STOREFRONT, sessionOf, token } from "../../harness/session.ts";
import { type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { each, OBJECTS, type Seen, seen, sizeOf } from "../objects.ts";
import {
  fill,
  fillAudit,
  fillOne,
  nameOf,
  ownerOf,
  type Size,
  sample,
  sampleOf,
  type Table,
} from "./ledger.ts";
import { MADE, type Omise } from "./omise.ts";

/** What is measured: calls, one after the other. */
export const OPERATIONS = [
  "retrieve, object not loaded",
  "retrieve, settled",
  "list",
  "search",
  "list, operator",
  "audit, operator",
  "create",
  "retrieve, pending",
  "confirm",
  "delete",
  "alarm",
] as const;
/** Those of them that are measured of a customer with many links. */
export const OF_ONE = [
  "retrieve, settled",
  "list",
  "search",
  "create",
  "retrieve, pending",
  "delete",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What came of one round of one operation. */
export interface Round {
  /** Milliseconds of each call. */
  times: number[];
  /** Rows a call. */
  rowsRead: number;
  rowsWritten: number;
}

/** What came of all rounds of one who is measured. */
export type Rounds = Map<Operation, Round[]>;

/** One request, ready to be sent. */
interface Call {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** An account as the Worker shows it, or a page of such. */
// biome-ignore lint/suspicious/noExplicitAny: whatever JSON came
type Json = any;

/** 10³, as such. */
const power = (number: number) => `10${[..."⁰¹²³⁴⁵⁶⁷⁸⁹"][Math.round(Math.log10(number))]}`;

/** A Worker, alone with its customers. */
export class Deployment {
  readonly customers: number;
  readonly name: string;
  readonly rounds: Rounds = new Map();
  /** Of the customers with many links, by the number of these. */
  readonly ofOne = new Map<number, { name: string; rounds: Rounds; sizes: Record<Table, Size> }>();
  readonly #omise: Omise;
  readonly #worker: RunningWorker;
  readonly #token: (claims: Record<string, unknown>) => string;

  private constructor(
    customers: number,
    omise: Omise,
    worker: RunningWorker,
    mint: (claims: Record<string, unknown>) => string,
  ) {
    this.customers = customers;
    this.name = `${power(customers)} customers`;
    this.#omise = omise;
    this.#worker = worker;
    this.#token = mint;
  }

  /** Starts a Worker, and makes its customers; those with many links too, where any are wanted. */
  static async start(
    customers: number,
    links: number[],
    omise: Omise,
    omiseUrl: string,
    folder: string,
  ): Promise<Deployment> {
    const secrets = randomSecrets();
    const worker = await startWorker({
      omiseUrl,
      storefrontUrl: STOREFRONT,
      secrets,
      statePath: folder,
      entry: OBJECTS,
      bindings: { METERED: "1" },
    });
    try {
      await fill(worker, customers, omiseUrl);
      const session = sessionOf(worker, secrets);
      const deployment = new Deployment(customers, omise, worker, (claims) => token(session, claims));
      for (const number of links) {
        const sizes = await fillOne(worker, number, omiseUrl);
        deployment.ofOne.set(number, { name: `${power(number)} links of one`, rounds: new Map(), sizes });
      }
      // its first entry makes the audit log's table
      await deployment.pending("first");
      await worker.customer("first").runAlarm();
      await fillAudit(worker, customers);
      return deployment;
    } catch (error) {
      await worker.dispose();
      throw error;
    }
  }

  dispose(): Promise<void> {
    return this.#worker.dispose();
  }

  /** What statements have cost since this was last asked. */
  seen(): Promise<Seen> {
    return seen(this.#worker);
  }

  /** The size of an ordinary customer's database, in bytes. */
  size(): Promise<number> {
    return sizeOf(this.#worker, nameOf(0));
  }

  /** Does everything so many times, in the order in which a customer would. */
  async round(count: number, isMeasured: boolean): Promise<void> {
    const sampled = sample(this.customers, count);
    const owners = sampled.map(([{ owner }]) => owner);
    const few = { length: Math.ceil(count / 10) };
    const operator = { sub: "operator", ...OPERATE };
    this.#omise.listed = sampled.map(([{ id }]) => id).slice(0, 20);
    const into = isMeasured ? this.rounds : undefined;

    // the first call of a customer who was away for ten seconds or more
    await this.#measure(
      into,
      "retrieve, object not loaded",
      sampled.map(([{ id, owner }]) => this.#get(`/${id}`, { sub: owner })),
      (answer, i) => assert.equal(answer.id, sampled[i]?.[0].id),
    );
    await this.#measure(
      into,
      "retrieve, settled",
      sampled.map(([, { id, owner }]) => this.#get(`/${id}`, { sub: owner })),
      (answer, i) => assert.equal(answer.id, sampled[i]?.[1].id),
    );
    await this.#pages(
      into,
      sampled.map(([first]) => first),
    );
    await this.#measure(
      into,
      "list, operator",
      sampled.map(() => this.#get("", operator)),
      (answer) => assert.equal(answer.data.length, this.#omise.listed.length),
    );
    await this.#measure(
      into,
      "audit, operator",
      Array.from(few, () => this.#call("GET", "/audit", operator)),
      (answer) => assert.equal(answer.data.length, 20),
    );
    const made = await this.#create(into, owners);
    for (const id of made) this.#omise.approve(id);
    await this.#measure(
      into,
      "confirm",
      made.map((id, i) => this.#confirm(id, owners[i] ?? "")),
      (answer) => assert.ok(answer.status === "successful" && answer.confirmed_at),
    );
    await this.#delete(into, owners, made);
    await this.#alarms(into, owners);
    await this.#clear(owners);

    for (const [links, { rounds }] of this.ofOne)
      await this.#roundOf(links, isMeasured ? rounds : undefined, few.length);
  }

  /** What a customer with many links does. */
  async #roundOf(links: number, into: Rounds | undefined, count: number): Promise<void> {
    const sampled = sampleOf(links, count);
    await this.#measure(
      into,
      "retrieve, settled",
      sampled.map(({ id, owner }) => this.#get(`/${id}`, { sub: owner })),
      (answer, i) => assert.equal(answer.id, sampled[i]?.id),
    );
    await this.#pages(into, sampled);
    // one after the other: they are of one type
    for (const { owner } of sampled) {
      const made = await this.#create(into, [owner]);
      for (const id of made) this.#omise.approve(id);
      await this.#delete(into, [owner], made);
      await this.#clear([owner]);
    }
    await this.#worker.customer(ownerOf(links)).runAlarm();
  }

  async #pages(into: Rounds | undefined, sampled: { id: string; owner: string }[]): Promise<void> {
    await this.#measure(
      into,
      "list",
      sampled.map(({ owner }) => this.#get("", { sub: owner })),
      (answer) => assert.ok(answer.total > 0 && answer.data.length > 0),
    );
    await this.#measure(
      into,
      "search",
      sampled.map(({ id, owner }) => this.#get(`/search?query=${id.slice(-19)}`, { sub: owner })),
      (answer, i) => assert.equal(answer.data[0].id, sampled[i]?.id),
    );
  }

  /** Creates an account of each, and reads it while it is pending. */
  async #create(into: Rounds | undefined, owners: string[]): Promise<string[]> {
    const made: string[] = [];
    await this.#measure(
      into,
      "create",
      owners.map((owner) => this.#creation(owner)),
      (answer) => {
        assert.equal(answer.status, "pending");
        made.push(answer.id);
      },
    );
    await this.#measure(
      into,
      "retrieve, pending",
      made.map((id, i) => this.#get(`/${id}`, { sub: owners[i] })),
      (answer) => assert.equal(answer.status, "pending"),
    );
    return made;
  }

  async #delete(into: Rounds | undefined, owners: string[], made: string[]): Promise<void> {
    await this.#measure(
      into,
      "delete",
      made.map((id, i) => this.#call("DELETE", `/linked_accounts/${id}`, { sub: owners[i] })),
      (answer) => assert.equal(answer.status, "deleted"),
    );
    for (const id of made) this.#omise.forget(id);
  }

  /** What the alarm does after all that: it gives the audit to the audit log. */
  async #alarms(into: Rounds | undefined, owners: string[]): Promise<void> {
    await this.seen();
    for (const owner of owners) await this.#worker.customer(owner).runAlarm();
    // called from another process: the time is not the alarm's
    await this.#note(into, "alarm", [], owners.length);
  }

  /** Takes what was created out of the ledgers again, so that they keep their size; their audit grows by what was done. */
  async #clear(owners: string[]): Promise<void> {
    const made = `links WHERE id >= '${MADE}'`;
    await each(
      this.#worker,
      `DELETE FROM attempts WHERE id IN (SELECT attempt FROM ${made}); DELETE FROM ${made}`,
      owners.map((owner) => [owner]),
    );
  }

  /** Creates an account on which the bank has not decided. */
  async pending(owner: string): Promise<string> {
    const { id } = await this.#send(this.#creation(owner));
    return id;
  }

  /** Reads an account as its owner; its status. */
  async status(owner: string, id: string, prefer?: string): Promise<string> {
    const call = this.#get(`/${id}`, { sub: owner });
    if (prefer) call.headers.Prefer = prefer;
    const { status } = await this.#send(call);
    return status;
  }

  async #measure(
    into: Rounds | undefined,
    operation: Operation,
    calls: Call[],
    judge: (answer: Json, i: number) => void,
  ): Promise<void> {
    await this.seen();
    const times: number[] = [];
    for (const [i, call] of calls.entries()) {
      const started = performance.now();
      const answer = await this.#send(call);
      times.push(performance.now() - started);
      judge(answer, i);
    }
    await this.#note(into, operation, times, calls.length);
  }

  async #note(into: Rounds | undefined, operation: Operation, times: number[], calls: number): Promise<void> {
    const { rowsRead, rowsWritten } = await this.seen();
    const round = { times, rowsRead: rowsRead / calls, rowsWritten: rowsWritten / calls };
    into?.set(operation, [...(into.get(operation) ?? []), round]);
  }

  async #send({ method, path, headers, body }: Call): Promise<Json> {
    const response = await fetch(this.#worker.url + path, { method, headers, ...(body && { body }) });
    const answer = await response.json();
    assert.equal(response.status, 200, `${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  #get(path: string, claims: Record<string, unknown>): Call {
    return this.#call("GET", `/linked_accounts${path}`, claims);
  }

  #creation(owner: string): Call {
    const body = { type: "direct_debit_kbank", return_uri: `${STOREFRONT}/return` };
    const call = this.#call("POST", "/linked_accounts", { sub: owner }, body);
    call.headers["Idempotency-Key"] = randomUUID();
    return call;
  }

  #confirm(id: string, owner: string): Call {
    const body = { link_state: this.#omise.linkState(id) };
    return this.#call("POST", "/linked_accounts/confirm", { sub: owner }, body);
  }

  #call(method: string, path: string, claims: Record<string, unknown>, body?: unknown): Call {
    const headers = { Authorization: `Bearer ${this.#token(claims)}` };
    if (body === undefined) return { method, path, headers };
    return {
      method,
      path,
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    };
  }
}

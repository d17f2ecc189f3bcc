// A Worker on a ledger of some size, and what its customers do.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { OPERATE, STOREFRONT, sessionOf, token } from "../../harness/session.ts";
import { type Database, type Running, randomSecrets, startWorker } from "../../harness/stack.ts";
import { fill, MANY, type Sample, type Size, sample, type Table } from "./ledger.ts";
import { MADE, type Omise } from "./omise.ts";

/** What D1 was asked for, as metered.js has counted it. */
export interface Seen {
  statements: number;
  rowsRead: number;
  rowsWritten: number;
  /** Bytes of the whole database. */
  sizeAfter: number;
}

/** What is measured: calls, one after the other. */
export const OPERATIONS = [
  "retrieve, settled",
  "list",
  "list, owner of 1 %",
  "search",
  "search, owner of 1 %",
  "list, operator",
  "audit, operator",
  "create",
  "retrieve, pending",
  "confirm",
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

/** A Worker, alone with its ledger. */
export class Deployment {
  readonly links: number;
  readonly name: string;
  readonly sizes: Record<Table, Size>;
  readonly rounds = new Map<Operation, Round[]>(OPERATIONS.map((operation) => [operation, []]));
  readonly #omise: Omise;
  readonly #worker: Running;
  readonly #db: Database;
  readonly #token: (claims: Record<string, unknown>) => string;

  private constructor(
    links: number,
    sizes: Record<Table, Size>,
    omise: Omise,
    worker: Running,
    db: Database,
    mint: (claims: Record<string, unknown>) => string,
  ) {
    this.links = links;
    this.name = `10${[..."⁰¹²³⁴⁵⁶⁷⁸⁹"][Math.log10(links)]} links`;
    this.sizes = sizes;
    this.#omise = omise;
    this.#worker = worker;
    this.#db = db;
    this.#token = mint;
  }

  /** Starts a Worker, and fills its ledger. */
  static async start(links: number, omise: Omise, omiseUrl: string, folder: string): Promise<Deployment> {
    const secrets = randomSecrets();
    const worker = await startWorker({
      omiseUrl,
      storefrontUrl: STOREFRONT,
      secrets,
      statePath: folder,
      entry: "benches/growth/metered.js",
    });
    try {
      const db = await worker.db();
      const sizes = await fill(db, links);
      const session = sessionOf(worker, secrets);
      return new Deployment(links, sizes, omise, worker, db, (claims) => token(session, claims));
    } catch (error) {
      await worker.dispose();
      throw error;
    }
  }

  dispose(): Promise<void> {
    return this.#worker.dispose();
  }

  /** What D1 was asked for since this was last asked. */
  async seen(): Promise<Seen> {
    return (await (await fetch(`${this.#worker.url}/seen`)).json()) as Seen;
  }

  /** What a run of the cron asks D1 for. */
  async cron(): Promise<Seen> {
    // the first drops what has grown too old while the bench ran
    await this.#worker.cron();
    await this.seen();
    await this.#worker.cron();
    return this.seen();
  }

  /** Does everything so many times, in the order in which a customer would. */
  async round(count: number, isMeasured: boolean): Promise<void> {
    const settled = await this.#sample(count);
    const owners = await this.#sample(count);
    const few = { length: Math.ceil(count / 10) };
    const operator = { sub: "operator", ...OPERATE };
    this.#omise.listed = settled.slice(0, 20).map(({ id }) => id);
    const measure = (operation: Operation, calls: Call[], judge: (answer: Json, i: number) => void) =>
      this.#measure(isMeasured ? operation : undefined, calls, judge);

    await measure(
      "retrieve, settled",
      settled.map(({ id, owner }) => this.#get(`/${id}`, { sub: owner })),
      (answer, i) => assert.equal(answer.id, settled[i]?.id),
    );
    const listing = (answer: Json) => assert.ok(answer.total > 0 && answer.data.length > 0);
    await measure(
      "list",
      settled.map(({ owner }) => this.#get("", { sub: owner })),
      listing,
    );
    await measure(
      "list, owner of 1 %",
      Array.from(few, () => this.#get("", { sub: MANY })),
      (answer) => assert.equal(answer.total, this.links / 100),
    );
    await measure(
      "search",
      settled.map(({ id, owner }) => this.#get(`/search?query=${id.slice(-19)}`, { sub: owner })),
      (answer, i) => assert.equal(answer.data[0].id, settled[i]?.id),
    );
    await measure(
      "search, owner of 1 %",
      Array.from(few, () => this.#get("/search?query=a-100", { sub: MANY })),
      listing,
    );
    await measure(
      "list, operator",
      settled.map(() => this.#get("", operator)),
      (answer) => assert.equal(answer.data.length, this.#omise.listed.length),
    );
    await measure(
      "audit, operator",
      Array.from(few, () => this.#call("GET", "/audit", operator)),
      (answer) => assert.equal(answer.data.length, 20),
    );

    const made: string[] = [];
    await measure(
      "create",
      owners.map(({ owner }) => this.#create(owner)),
      (answer) => {
        assert.equal(answer.status, "pending");
        made.push(answer.id);
      },
    );
    const mine = (method: string) =>
      made.map((id, i) => this.#call(method, `/linked_accounts/${id}`, { sub: owners[i]?.owner }));
    await measure("retrieve, pending", mine("GET"), (answer) => assert.equal(answer.status, "pending"));
    for (const id of made) this.#omise.approve(id);
    await measure(
      "confirm",
      made.map((id, i) => this.#confirm(id, owners[i]?.owner ?? "")),
      (answer) => assert.ok(answer.status === "successful" && answer.confirmed_at),
    );
    await measure("delete", mine("DELETE"), (answer) => assert.equal(answer.status, "deleted"));
    for (const id of made) this.#omise.forget(id);
    await this.#clear();
  }

  /** Takes what was created out of the ledger again, so that it keeps its size; its audit grows by what was done. */
  async #clear(): Promise<void> {
    const made = `links WHERE id >= '${MADE}'`;
    await this.#db.batch([
      this.#db.prepare(`DELETE FROM attempts WHERE id IN (SELECT attempt FROM ${made})`),
      this.#db.prepare(`DELETE FROM ${made}`),
    ]);
  }

  /** Creates an account that nobody has decided on. */
  async pending(owner: string): Promise<string> {
    const { id } = await this.#send(this.#create(owner));
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
    operation: Operation | undefined,
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
    const { rowsRead, rowsWritten } = await this.seen();
    const round = { times, rowsRead: rowsRead / calls.length, rowsWritten: rowsWritten / calls.length };
    if (operation) this.rounds.get(operation)?.push(round);
  }

  async #send({ method, path, headers, body }: Call): Promise<Json> {
    const response = await fetch(this.#worker.url + path, { method, headers, ...(body && { body }) });
    const answer = await response.json();
    assert.equal(response.status, 200, `${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  #sample(count: number): Promise<Sample[]> {
    return sample(this.#db, this.links, count);
  }

  #get(path: string, claims: Record<string, unknown>): Call {
    return this.#call("GET", `/linked_accounts${path}`, claims);
  }

  #create(owner: string): Call {
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

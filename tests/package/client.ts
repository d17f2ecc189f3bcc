// What the client's specs share: the installed package, and a Worker, a page, a network and a clock that do as they are told.

import assert from "node:assert/strict";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import type * as Package from "../../pkg-template/index.d.ts";
import { Installed } from "./installed.ts";
import { account, serve } from "./worker.ts";

/** The packed tarball in a folder of its own. */
export const installed = new Installed();

/** The package, as a program in that folder imports it. */
export const omise = (await import(
  pathToFileURL(join(installed.package, "index.js")).href
)) as typeof Package;

export const ID = account("pending").id;
export const LINK_STATE = "0123456789abcdefABCDEA";
export const PARAMS = { type: "direct_debit_scb", returnUri: "https://shop.example/return" };

/** A day that is far from over. */
const LIFE = { created_at: "2098-12-31T00:00:00Z", expires_at: "2099-01-01T00:00:00Z" };

export interface Asked {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export type Answer = (response: ServerResponse, asked: Asked) => void;

/** A server in the Worker's place, which gives the answers of a list one after the other, and the last one from then on. */
export class Worker {
  readonly asked: Asked[] = [];
  endpoint = "";
  answers: Answer[] = [];

  static async start(t: TestContext, ...answers: Answer[]): Promise<Worker> {
    const worker = new Worker();
    worker.answers = answers;
    const { origin, close } = await serve(async (request, response) => {
      const { method = "", url = "", headers } = request;
      const asked = { method, path: url, headers, body: "" };
      for await (const chunk of request) asked.body += chunk;
      worker.asked.push(asked);
      const [answer] = worker.answers.length > 1 ? worker.answers.splice(0, 1) : worker.answers;
      answer?.(response, asked);
    });
    t.after(close);
    worker.endpoint = origin;
    return worker;
  }

  get keys(): unknown[] {
    return this.asked.map(({ headers }) => headers["idempotency-key"]);
  }
}

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response
      .writeHead(status, { "Content-Type": "application/json", ...headers })
      .end(JSON.stringify(body));

export const shows = (status: string, more: object = {}, headers: Record<string, string> = {}): Answer =>
  json(200, { ...account(status), ...LIFE, ...more }, headers);

export const fails = (
  status: number,
  reason: string,
  more: object = {},
  headers: Record<string, string> = {},
): Answer =>
  json(
    status,
    {
      object: "error",
      code: "bad_request",
      message: `it is ${reason}`,
      reason,
      retryable: false,
      issues: [],
      ...more,
    },
    headers,
  );

export const text =
  (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, headers).end(body);

export const resets: Answer = (response) => void response.destroy();
export const hangs: Answer = () => {};

/** A promise, and what resolves it. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

export function clientOf(
  worker: Pick<Worker, "endpoint">,
  options: Partial<Package.ClientOptions> = {},
): Package.Client {
  return omise.createClient({
    endpoint: worker.endpoint,
    getToken: () => "token-1",
    locale: "en",
    ...options,
  });
}

export async function failureOf(call: Promise<unknown>): Promise<Package.LinkedAccountsError> {
  const error: unknown = await call.then(
    (value) => assert.fail(`it came to ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  assert.ok(omise.isLinkedAccountsError(error), String(error));
  return error;
}

/** Replaces a global for one test. */
export function replace(t: TestContext, name: string, value: unknown): void {
  const own = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => {
    if (own) Object.defineProperty(globalThis, name, own);
    else Reflect.deleteProperty(globalThis, name);
  });
}

/** A page in Node: an address, a history, and a tab that can be hidden. */
export class Page {
  readonly visited: string[] = [];
  readonly document = Object.assign(new EventTarget(), { hidden: false, documentElement: { lang: "" } });
  readonly history = {
    state: null as unknown,
    replaceState: (state: unknown, _: string, url: URL) => {
      this.history.state = structuredClone(state);
      this.location.href = url.href;
    },
  };
  readonly location = { href: "", assign: (url: string) => void this.visited.push(url) };

  constructor(t: TestContext, href = "https://shop.example/pay") {
    this.location.href = href;
    replace(t, "document", this.document);
    replace(t, "history", this.history);
    replace(t, "location", this.location);
  }

  show(visible: boolean): void {
    this.document.hidden = !visible;
    this.document.dispatchEvent(new Event("visibilitychange"));
  }
}

/** A network that can be away. */
export class Network {
  readonly #window = new EventTarget();
  readonly #navigator = { onLine: true };

  constructor(t: TestContext) {
    replace(t, "navigator", this.#navigator);
    for (const name of ["addEventListener", "removeEventListener"] as const) {
      replace(t, name, this.#window[name].bind(this.#window));
    }
  }

  set online(value: boolean) {
    this.#navigator.onLine = value;
    if (value) this.#window.dispatchEvent(new Event("online"));
  }
}

/** A clock that stands still while something happens, and goes on to the next timer once nothing does. */
export class Clock {
  now = 0;
  #timers: { at: number; id: number; run: () => void }[] = [];
  #ids = 0;
  #watching = false;

  constructor(t: TestContext) {
    const { performance } = globalThis;
    replace(t, "performance", { now: () => this.now });
    t.after(() => assert.equal(globalThis.performance, performance));
    replace(t, "setTimeout", (run: () => void, ms: number) => this.#set(run, ms));
    replace(t, "clearTimeout", (id: unknown) => {
      this.#timers = this.#timers.filter((timer) => timer.id !== id);
    });
  }

  #set(run: () => void, ms: number): number {
    this.#ids += 1;
    this.#timers.push({ at: this.now + ms, id: this.#ids, run });
    this.#timers.sort((a, b) => a.at - b.at || a.id - b.id);
    this.#watch();
    return this.#ids;
  }

  /** Some turns of the event loop: whatever can happen without time has happened then. */
  #watch(turns = 20): void {
    if (this.#watching && turns === 20) return;
    this.#watching = true;
    setImmediate(() => {
      if (turns > 0) return this.#watch(turns - 1);
      this.#watching = false;
      const timer = this.#timers.shift();
      if (!timer) return;
      this.now = Math.max(this.now, timer.at);
      timer.run();
      if (this.#timers.length > 0) this.#watch();
    });
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#timers.length;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#set(resolve, ms);
    });
  }

  /** In the Worker's place: says when it was asked, in seconds of this clock, and how long to hold. */
  worker(answer: (at: number, hold: number) => Response | Promise<Response>) {
    const asked: [at: number, hold: number][] = [];
    const fetch = async (request: Request) => {
      const at = this.now / 1000;
      const hold = Number(/^wait=(\d+)$/.exec(request.headers.get("Prefer") ?? "")?.[1] ?? 0);
      asked.push([at, hold]);
      return answer(at, hold);
    };
    return { asked, fetch };
  }
}

export const reply = (status: string, more: object = {}, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ ...account(status), ...LIFE, ...more }), { headers });

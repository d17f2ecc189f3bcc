// The calls, loaded on first use. Rust has the rules, the requests and the decisions; what is here waits.

import callReasons from "./call-reasons.js";
import { isOffline, unlessEnded } from "./entry.js";
import { InvalidRequestError, isLinkedAccountsError, LinkedAccountsError, NetworkError } from "./error.js";
import reasons from "./reasons.js";
import { faults, issue, issues, wireName } from "./validator.js";

export { validatorLoader } from "./validator.js";
export { words } from "./words.js";

/** @typedef {import("./index.d.ts").LinkedAccount} LinkedAccount */
/** @typedef {import("./index.d.ts").CreateOptions} Options */

// until here nothing had them
Object.assign(reasons, callReasons);

/** How long an answer may take, in milliseconds, beside what it is held. */
const TIME_LIMIT = 30_000;
/** How long the Worker is asked to hold an answer, in seconds: it holds none for longer. */
const HOLD = 25;
/** How long a customer who has come back from the bank is kept waiting, in milliseconds. */
const PATIENCE = 30_000;
/** How often in a row `getToken` may fail while an account is waited for: a network that is away is not the only cause. */
const TOKEN_FAILURES = 3;

/** What the Worker calls the parameters of `list` and `search`, where it is not what this package calls them. */
const QUERY_NAMES = new Map([
  ["status", "filters[status]"],
  ["type", "filters[type]"],
  ["created", "filters[created]"],
  ["perPage", "per_page"],
]);

/** @type {Map<string, "linked" | "failed" | "expired" | "deleted">} */
const RESULTS = new Map([
  ["successful", "linked"],
  ["failed", "failed"],
  ["rejected", "failed"],
  ["expired", "expired"],
  ["deleted", "deleted"],
]);

export class Calls {
  #settings;
  #glue;
  /** Idempotency keys of creates of which it is not known yet what came, by the request's body. @type {Map<string, string>} */
  #keys = new Map();
  /** Calls under way that others may join. @type {Map<string, { waiting: number, end: AbortController, promise: Promise<any> }>} */
  #underWay = new Map();

  /**
   * @param {object} settings
   * @param {string} settings.endpoint without a slash at its end
   * @param {() => string | Promise<string>} settings.getToken
   * @param {((request: Request) => Promise<Response>) | undefined} settings.fetch
   * @param {() => ReturnType<typeof import("./words.js").words>} settings.catalogue
   * @param {(event: import("./index.d.ts").ClientEvent) => void} settings.emit
   * @param {typeof import("./wasm/client.js")} glue
   */
  constructor(settings, glue) {
    this.#settings = settings;
    this.#glue = glue;
  }

  /** @param {undefined} _ @param {Options} options */
  async banks(_, { signal }) {
    return (await this.#ask("GET", "/banks", "list", { signal })).value.data;
  }

  /** @param {any} params @param {Options} options @returns {Promise<LinkedAccount>} */
  async create(params, { signal, idempotencyKey }) {
    return this.#createTogether(await this.#body(params, idempotencyKey), idempotencyKey, signal);
  }

  /** @param {any} params @param {Options} options @returns {Promise<LinkedAccount>} */
  async start(params, { signal, idempotencyKey }) {
    if (typeof document === "undefined") {
      throw new TypeError("start: there is no page here to send to the bank; use create");
    }
    const body = await this.#body(params, idempotencyKey);
    return this.#together(`start ${idempotencyKey} ${body}`, signal, async (signal) => {
      const create = () => this.#createTogether(body, idempotencyKey, signal);
      /** @param {any} error @returns {LinkedAccount} */
      const waiting = (error) => {
        if (error.reason === "already_pending" && error.linkedAccount?.registration_uri) {
          return error.linkedAccount;
        }
        throw error;
      };
      let account = await create().catch(waiting);
      // of an earlier click, whose answer was lost, and over by now: its key is forgotten
      const over = ["failed", "expired", "deleted"].includes(RESULTS.get(account.status) ?? "");
      if (over && idempotencyKey === undefined) account = await create().catch(waiting);
      // registered meanwhile: there is nothing left to do at the bank
      if (account.status === "successful") return account;
      const uri = registrationUri(account);
      signal.throwIfAborted();
      this.#settings.emit({ type: "redirect", accountType: account.type });
      location.assign(uri);
      return account;
    });
  }

  /** @param {string} linkState @param {Options} options */
  async resume(linkState, { signal }) {
    const began = performance.now();
    // the Worker would answer the same to any other text
    if (!this.#glue.isLinkState(linkState)) throw new LinkedAccountsError("not_found");
    const body = JSON.stringify({ link_state: linkState });
    const reading = read(
      await this.#ask("POST", "/linked_accounts/confirm", "linked_account", { body, signal }),
    );
    await within(PATIENCE, signal, (signal) => this.#settle(reading, began, signal, PATIENCE)).catch(
      (error) => {
        if (error !== LATE) throw error;
      },
    );
    return this.#outcome(reading, began);
  }

  /** @param {string} id @param {Options} options */
  async waitFor(id, { signal }) {
    const began = performance.now();
    this.#path(id);
    const reading = { account: { id, status: "pending" } };
    await this.#settle(reading, began, signal, Number.POSITIVE_INFINITY);
    return this.#outcome(reading, began);
  }

  /** @param {string} id @param {Options} options @returns {Promise<LinkedAccount>} */
  async retrieve(id, { signal }) {
    return (await this.#ask("GET", this.#path(id), "linked_account", { signal })).value;
  }

  /** @param {Record<string, unknown> | undefined} params @param {Options} options */
  async list(params, { signal }) {
    return (await this.#ask("GET", `/linked_accounts${query(params)}`, "list", { signal })).value;
  }

  /** @param {Record<string, unknown> | undefined} params @param {Options} options */
  async search(params, { signal }) {
    return (await this.#ask("GET", `/linked_accounts/search${query(params)}`, "search", { signal })).value;
  }

  /** @param {string} id @param {Options} options @returns {Promise<LinkedAccount>} */
  async delete(id, { signal }) {
    const { value } = await this.#ask("DELETE", this.#path(id), "linked_account", { signal });
    this.#settings.emit({ type: "deleted", accountType: value.type });
    return value;
  }

  /**
   * The body of a create, once the rules hold.
   *
   * @param {any} params
   * @param {string | undefined} idempotencyKey
   */
  async #body(params, idempotencyKey) {
    const found = faults(this.#glue, params);
    if (found.length > 0) {
      const list = issues(await this.#settings.catalogue(), found);
      throw new InvalidRequestError("invalid_request", { issues: list });
    }
    if (idempotencyKey !== undefined && !/^[!-~]{1,255}$/.test(idempotencyKey)) {
      const message = "expected idempotencyKey to be 1 to 255 visible ASCII characters";
      throw new InvalidRequestError("invalid_request", { message });
    }
    const wire = Object.fromEntries(Object.entries(params).map(([name, value]) => [wireName(name), value]));
    const { type, citizen_id, metadata, replace_pending } = wire;
    const return_uri = this.#glue.returnUri(wire.return_uri);
    return JSON.stringify({ type, return_uri, citizen_id, metadata, replace_pending });
  }

  /**
   * @param {string} body
   * @param {string | undefined} idempotencyKey
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<LinkedAccount>}
   */
  #createTogether(body, idempotencyKey, signal) {
    return this.#together(`create ${idempotencyKey} ${body}`, signal, (signal) =>
      this.#create(body, idempotencyKey, signal),
    );
  }

  /**
   * @param {string} body
   * @param {string | undefined} given the page's own idempotency key
   * @param {AbortSignal} signal
   * @returns {Promise<LinkedAccount>}
   */
  async #create(body, given, signal) {
    const began = performance.now();
    const key = given ?? this.#keys.get(body) ?? randomKey();
    if (given === undefined) this.#keys.set(body, key);
    const forget = () => this.#keys.get(body) === key && this.#keys.delete(body);
    try {
      const { value, headers } = await this.#ask("POST", "/linked_accounts", "linked_account", {
        body,
        key,
        signal,
      });
      forget();
      const replayed = headers.get("Idempotent-Replayed") === "true";
      this.#settings.emit({ type: "created", accountType: value.type, replayed, ms: since(began) });
      return value;
    } catch (error) {
      // 401 says nothing of what came of the attempt, nor does a call that was ended
      if (isLinkedAccountsError(error) && !error.retryable && error.status !== 401) forget();
      throw error;
    }
  }

  /**
   * Calls at once for the same thing are one, which ends once nobody waits for it any more.
   *
   * @template T
   * @param {string} what
   * @param {AbortSignal | undefined} signal
   * @param {(signal: AbortSignal) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #together(what, signal, work) {
    let call = this.#underWay.get(what);
    if (!call) {
      const end = new AbortController();
      const promise = work(end.signal).finally(() => this.#leave(what, started));
      const started = { waiting: 0, end, promise };
      call = started;
      this.#underWay.set(what, call);
    }
    call.waiting += 1;
    try {
      return await unlessEnded(signal, call.promise);
    } finally {
      call.waiting -= 1;
      if (call.waiting === 0) {
        this.#leave(what, call);
        call.end.abort();
      }
    }
  }

  /** @param {string} what @param {unknown} call */
  #leave(what, call) {
    if (this.#underWay.get(what) === call) this.#underWay.delete(what);
  }

  /**
   * Reads an account until it is settled, or no more answer is to be expected.
   *
   * @param {Reading} reading what was read last; brought up to date
   * @param {number} began
   * @param {AbortSignal | undefined} signal
   * @param {number} patience in milliseconds from now, for what the Worker is asked to hold
   */
  async #settle(reading, began, signal, patience) {
    const path = this.#path(reading.account.id);
    const end = performance.now() + patience;
    /** When to ask next; decided once after each answer. @type {number | undefined} */
    let due = reading.at ? undefined : 0;
    let asked = Number.NEGATIVE_INFINITY;
    let answered = began;
    /** @type {any} */
    let failure;
    let tokenFailures = 0;
    for (;;) {
      const next = this.#glue.nextPoll(
        reading.account.status,
        answered - began,
        secondsLeft(reading, began),
        !globalThis.document?.hidden,
      );
      // it may have ended while nobody looked: that is worth a last look
      if (next === -1 && due !== 0) {
        if (!reading.at) throw failure;
        return;
      }
      if (next === -2 || isOffline()) {
        await change(signal);
        due = 0;
        continue;
      }
      // an answer that was held has waited already; one that was not, through a proxy that drops `Prefer`, has not
      due ??= asked + Math.max(next, (failure?.retryAfter ?? 0) * 1000);
      const rest = due - performance.now();
      if (rest > 0) {
        await change(signal, rest);
        continue;
      }
      asked = performance.now();
      try {
        const hold = Math.min(HOLD, Math.ceil((end - asked) / 1000));
        Object.assign(reading, read(await this.#ask("GET", path, "linked_account", { hold, signal })));
        failure = undefined;
        tokenFailures = 0;
      } catch (error) {
        failure = error;
        if (failure.reason === "token_unavailable") tokenFailures += 1;
        if (!failure.retryable || tokenFailures === TOKEN_FAILURES) throw failure;
      }
      answered = performance.now();
      due = undefined;
    }
  }

  /**
   * @param {Reading} reading
   * @param {number} began
   */
  async #outcome({ account }, began) {
    const result = RESULTS.get(account.status) ?? "pending";
    const { type: accountType, failure_code: failureCode } = account;
    this.#settings.emit({ type: "outcome", accountType, result, failureCode, ms: since(began) });
    if (result !== "failed") return { result, account };
    const texts = (await this.#settings.catalogue())?.failures;
    const userMessage = texts?.[failureCode] ?? texts?.[""] ?? account.failure_message ?? "";
    return { result, account, userMessage };
  }

  /** @param {unknown} id the Worker would answer the same where it is none */
  #path(id) {
    if (typeof id !== "string" || !this.#glue.idMode(id)) throw new LinkedAccountsError("not_found");
    return `/linked_accounts/${id}`;
  }

  /**
   * Asks the Worker, and once again with a new token where it does not take the first: that may have expired on the way.
   *
   * @param {"GET" | "POST" | "DELETE"} method
   * @param {string} path
   * @param {string} object what the answer has to be
   * @param {{ signal: AbortSignal | undefined, body?: string, key?: string, hold?: number }} more
   * @returns {Promise<Answer>}
   */
  async #ask(method, path, object, more) {
    let answer = await this.#attempt(method, path, more);
    if (answer.status === 401) answer = await this.#attempt(method, path, more);
    return this.#understand(answer, object, `${method} ${path.split("?")[0]}`);
  }

  /**
   * @param {"GET" | "POST" | "DELETE"} method
   * @param {string} path
   * @param {{ signal: AbortSignal | undefined, body?: string, key?: string, hold?: number }} more
   */
  async #attempt(method, path, { signal, body, key, hold = 0 }) {
    const { endpoint, fetch = globalThis.fetch } = this.#settings;
    // where an account can be linked is told to anyone
    const token = path === "/banks" ? "" : await this.#token(signal);
    const prefer = hold > 0 ? `wait=${hold}` : undefined;
    try {
      return await within(TIME_LIMIT + hold * 1000, signal, async (signal) => {
        const request = this.#glue.request(endpoint + path, method, token, key, prefer, body, signal);
        if (!request) throw new TypeError("endpoint is no address");
        const response = await fetch(request);
        const { status, headers } = response;
        return { status, headers, text: await response.text() };
      });
    } catch (cause) {
      signal?.throwIfAborted();
      if (isLinkedAccountsError(cause)) throw cause;
      if (cause === LATE) throw new NetworkError("timeout");
      throw new NetworkError(isOffline() ? "offline" : "network_failed", { cause });
    }
  }

  /** @param {AbortSignal | undefined} signal */
  async #token(signal) {
    const { getToken } = this.#settings;
    let cause;
    try {
      const token = await unlessEnded(signal, (async () => getToken())());
      // what a header takes
      if (typeof token === "string" && /^[!-~]+$/.test(token)) return token;
    } catch (error) {
      signal?.throwIfAborted();
      cause = error;
    }
    // the shop's own backend is as far away
    if (isOffline()) throw new NetworkError("offline", { cause });
    throw new LinkedAccountsError("token_unavailable", { cause });
  }

  /**
   * @param {{ status: number, headers: Headers, text: string }} answer
   * @param {string} object
   * @param {string} asked method and path
   * @returns {Promise<Answer>}
   */
  async #understand({ status, headers, text }, object, asked) {
    /** @type {any} */
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      // told below
    }
    if (status === 200 && value?.object === object) return { value, headers };
    const requestId = headers.get("X-Request-Id") ?? undefined;
    // a redirect that is not followed has no status
    const details = { status: status || undefined, requestId };
    if (status < 400 || value?.object !== "error" || typeof value.reason !== "string") {
      let body = value?.object === object ? "such JSON" : "other JSON";
      if (value === undefined) body = headers.get("Content-Type") || "no Content-Type";
      // a mock's 201, the page of a login
      const message = `${asked}: expected 200 and JSON whose object is "${object}", got ${status || "a redirect"} and ${body}`;
      throw new LinkedAccountsError("answer_unreadable", { ...details, message });
    }
    const { code, message, reason, retryable, linked_account: linkedAccount } = value;
    const retryAfter = Number(headers.get("Retry-After") ?? Number.NaN);
    const list = Array.isArray(value.issues) ? await this.#inWords(value.issues) : [];
    const Class = list.length > 0 ? InvalidRequestError : LinkedAccountsError;
    throw new Class(reason, {
      ...details,
      code,
      message,
      retryable: retryable === true,
      retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
      issues: list,
      linkedAccount,
    });
  }

  /**
   * The Worker's issues in the customer's language; in the Worker's words where there are none.
   *
   * @param {import("./types.d.ts").Issue[]} list
   */
  async #inWords(list) {
    const texts = await this.#settings.catalogue();
    return list.map(({ field, code, message }) => {
      const own = issue(texts, field, code);
      return own.message === code ? { field, code, message } : own;
    });
  }
}

/** @typedef {{ value: any, headers: Headers }} Answer */

/**
 * An account, and where the answer says it, the Worker's time of that reading and ours.
 *
 * @typedef {{ account: any, date?: number, at?: number }} Reading
 */

/** @param {Answer} answer @returns {Reading} */
function read({ value, headers }) {
  return { account: value, date: Date.parse(headers.get("Date") ?? ""), at: performance.now() };
}

/**
 * Counted from the Worker's clock, or else from the account's whole life; never by the page's clock, which may be wrong.
 *
 * @param {Reading} reading
 * @param {number} began
 */
function secondsLeft({ account, date, at }, began) {
  const expires = Date.parse(account.expires_at);
  const life = date
    ? expires - date - since(at ?? began)
    : expires - Date.parse(account.created_at) - since(began);
  return Number.isNaN(life) ? undefined : Math.floor(Math.min(life / 1000, 1e9));
}

/** @param {number} began */
const since = (began) => Math.round(performance.now() - began);

/** The reason for which {@link within} ends what took too long. */
const LATE = Symbol("late");

/**
 * Does something with a signal that ends it where the caller's does, or after a time, with {@link LATE}.
 *
 * @template T
 * @param {number} ms
 * @param {AbortSignal | undefined} signal
 * @param {(signal: AbortSignal) => Promise<T>} work
 */
async function within(ms, signal, work) {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const end = () => controller.abort(signal?.reason);
  const timer = setTimeout(() => controller.abort(LATE), ms);
  signal?.addEventListener("abort", end);
  try {
    return await unlessEnded(controller.signal, work(controller.signal));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}

/**
 * Waits until the page is shown or hidden, or the network is back, or a time is over.
 *
 * @param {AbortSignal | undefined} signal
 * @param {number} [ms]
 * @returns {Promise<void>}
 */
function change(signal, ms) {
  const page = globalThis.document;
  return new Promise((resolve, reject) => {
    const timer = ms === undefined ? undefined : setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      page?.removeEventListener("visibilitychange", done);
      globalThis.removeEventListener?.("online", done);
      signal?.removeEventListener("abort", done);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    }
    page?.addEventListener("visibilitychange", done);
    globalThis.addEventListener?.("online", done);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}

/** @param {Record<string, unknown>} [params] */
function query(params = {}) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null) found.append(QUERY_NAMES.get(name) ?? name, String(value));
  }
  const text = String(found);
  return text && `?${text}`;
}

/** Not `randomUUID`, which pages have only over https or on the machine itself: a shop is tried out on a phone too. */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Where the customer registers the account: https, or http in test mode.
 *
 * @param {LinkedAccount} account
 */
function registrationUri({ registration_uri, livemode }) {
  try {
    const { protocol, href } = new URL(registration_uri ?? "");
    if (protocol === "https:" || (protocol === "http:" && livemode === false)) return href;
  } catch {
    // no address
  }
  throw new LinkedAccountsError("registration_uri_unsafe");
}

// The Durable Object of one customer: one-line methods around the core in Rust (src/customer/), and what must not outlive the object or be
// shared with another: who waits for news, and the readings under way.

import { DurableObject } from "cloudflare:workers";
import { Lost, log, run } from "./rescue.js";

/**
 * @typedef {object} Call What a step needs of a call, and what it has spent so far.
 * @property {string} [subject]
 * @property {string} [operator]
 * @property {string} requestId
 * @property {string} text
 * @property {number} askedAt
 * @property {number} upstreamCalls
 * @property {number} upstreamMs
 * @property {string} notes
 */

/**
 * @typedef {object} Reading The last reading of an account.
 * @property {number} beganAt
 * @property {number} endedAt
 * @property {string} [failure]
 */

/** What one object remembers between two steps. */
class Memory {
  hasTables = false;
  /** @type {number | undefined} */
  alarm;
  /** Which attempt each call works on. @type {Map<Call, string>} */
  #attempts = new Map();
  /** @type {Map<string, Reading>} */
  #readings = new Map();
  /** What ends the wait of each call that waits for news. Not one promise for all: it would keep something of every call that ever waited. */
  #waiters = new Set();

  /** @param {DurableObjectStorage} storage */
  constructor(storage) {
    this.storage = storage;
  }

  /**
   * @param {Call} call
   * @param {string} attempt
   */
  begin(call, attempt) {
    this.#attempts.set(call, attempt);
  }

  /** @param {string} attempt */
  isInFlight(attempt) {
    return [...this.#attempts.values()].includes(attempt);
  }

  /** @param {Call} call */
  end(call) {
    this.#attempts.delete(call);
  }

  /** @param {string} id */
  reading(id) {
    return this.#readings.get(id);
  }

  /**
   * @param {string} id
   * @param {number} beganAt
   * @param {number} endedAt
   * @param {string} [failure]
   */
  remember(id, beganAt, endedAt, failure) {
    this.#readings.set(id, { beganAt, endedAt, ...(failure !== undefined && { failure }) });
  }

  wake() {
    for (const end of this.#waiters) end();
  }

  /**
   * Until there is news, or for so long; `onEnd` is given what ends it too.
   * @param {number} ms
   * @param {(end: () => void) => void} onEnd
   */
  async news(ms, onEnd) {
    const { promise, resolve } = Promise.withResolvers();
    const end = () => resolve(undefined);
    this.#waiters.add(end);
    onEnd(end);
    await within(ms, promise);
    this.#waiters.delete(end);
  }
}

export class Customer extends DurableObject {
  #memory = new Memory(this.ctx.storage);
  /** The readings under way, by account: one for all who wait. @type {Map<string, Promise<void>>} */
  #reading = new Map();
  /** What ends the wait of a call, by its request's id. @type {Map<string, () => void>} */
  #waiting = new Map();

  /**
   * The customer calls.
   * @param {string} subject
   * @param {string} requestId
   * @param {string} text
   */
  ask(subject, requestId, text) {
    return this.#answer({ ...called(requestId, text), subject });
  }

  /**
   * An operator calls, or Omise does.
   * @param {string | undefined} operator
   * @param {string} requestId
   * @param {string} text
   */
  system(operator, requestId, text) {
    return this.#answer({ ...called(requestId, text), ...(operator !== undefined && { operator }) });
  }

  /**
   * The client of a call has hung up: it waits for no news any more. What else it does goes on.
   * @param {string} requestId
   */
  async drop(requestId) {
    this.#waiting.get(requestId)?.();
  }

  /** @override */
  async alarm() {
    const call = called(crypto.randomUUID().replaceAll("-", ""), "");
    try {
      await run((rust) => rust.customerAlarm(this.#memory, this.env, call));
    } catch (error) {
      log({ request_id: call.requestId, part: "customer", route: "alarm" }, String(error), call.askedAt);
      // The runtime tries again.
      throw error;
    }
  }

  /** @param {Call} call */
  async #answer(call) {
    let isDropped = false;
    let endWait = () => {};
    this.#waiting.set(call.requestId, () => {
      isDropped = true;
      endWait();
    });
    try {
      while (!isDropped) {
        const step = await run((rust) => rust.customerStep(this.#memory, this.env, call));
        if (step.answer) return step.answer;
        if (step.read) await within(step.ms, this.#read(step.read, call));
        else if (!isDropped) {
          await this.#memory.news(step.ms, (end) => {
            endWait = end;
          });
        }
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      log({ request_id: call.requestId, part: "customer" }, error.message, call.askedAt);
      return { lost: true };
    } finally {
      this.#memory.end(call);
      this.#waiting.delete(call.requestId);
    }
  }

  /**
   * @param {string} id
   * @param {Call} call
   */
  #read(id, call) {
    const underWay = this.#reading.get(id);
    if (underWay) return underWay;
    const reading = run((rust) => rust.customerRead(this.#memory, this.env, call, id)).finally(() =>
      this.#reading.delete(id),
    );
    this.#reading.set(id, reading);
    return reading;
  }
}

/**
 * Until the promise ends, or for so long.
 * @param {number} ms
 * @param {Promise<unknown>} promise
 */
async function within(ms, promise) {
  const { promise: over, resolve } = Promise.withResolvers();
  const timer = setTimeout(resolve, ms);
  try {
    await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {string} requestId
 * @param {string} text
 * @returns {Call}
 */
function called(requestId, text) {
  return { requestId, text, askedAt: Date.now(), upstreamCalls: 0, upstreamMs: 0, notes: "" };
}

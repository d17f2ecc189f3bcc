// A relay between a Worker and its Omise that does to an exchange what a network and a failing server do.
//
// Every exchange has connections of its own: the request is read whole, passed on, and its answer read whole before any of it is
// played back, so that a fault strikes at a byte and not at a time.

import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as openRequest,
  STATUS_CODES,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

const HOST = "127.0.0.1";
/** How many exchanges are remembered: a load makes hundreds a second. */
const MAX_EXCHANGES = 10_000;

/** Where a fault strikes: after so many bytes of the answer, before so many of its last where negative, or after its head. */
export type At = number | "head";

/** What happens to an answer. `forward: false`: the request never reaches upstream. */
export type Fault =
  /** It comes late. */
  | { kind: "delay"; ms: number }
  /** It stops there, and the connection stays open. */
  | { kind: "hang"; after?: At; forward?: boolean }
  /** RST there. */
  | { kind: "reset"; after?: At; forward?: boolean }
  /** FIN there. */
  | { kind: "cut"; after: At }
  /** Some bytes of its body are changed, to what neither UTF-8 nor JSON has. */
  | { kind: "garble"; seed: number }
  /** Something else in its place; a function is given the answer, which is empty where there is none. */
  | { kind: "answer"; bytes: Bytes | ((answer: Buffer) => Bytes); forward?: boolean };

/** At once, or bit by bit where it is more than anybody should read. */
export type Bytes = Buffer | Iterable<Buffer>;

/** A request, as it came. */
export interface Exchange {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export class Relay {
  /** Asked once an exchange, before it is passed on. */
  fault: (exchange: Exchange) => Fault | undefined = () => undefined;
  /** Upstream has answered, and so has done what it was asked; nothing was played back yet, and nothing is before this is over. */
  onAnswer: (exchange: Exchange, answer: Buffer) => void | Promise<void> = () => {};
  /** The last of them, oldest first. */
  readonly exchanges: Exchange[] = [];
  /** Connections are refused, or reset before anything is read. */
  #down: "refuse" | "reset" | undefined;
  readonly #target: URL;
  /** A free one, until there is one. */
  #port = 0;
  #server = this.#serve();
  readonly #sockets = new Set<Socket>();
  readonly #running = new Set<Promise<void>>();

  private constructor(target: string) {
    this.#target = new URL(target);
  }

  /** Starts a relay on a free port. */
  static async start(target: string): Promise<Relay> {
    const relay = new Relay(target);
    await relay.#listen();
    return relay;
  }

  /** Bare origin. */
  get url(): string {
    return `http://${HOST}:${this.#port}`;
  }

  /** From now on nobody gets through. */
  async down(how: "refuse" | "reset"): Promise<void> {
    await this.up();
    this.#down = how;
    if (how === "refuse") await this.#close();
  }

  /** The end of [`down`]. */
  async up(): Promise<void> {
    const refused = this.#down === "refuse";
    this.#down = undefined;
    if (refused) {
      this.#server = this.#serve();
      await this.#listen();
    }
  }

  /** How often upstream was asked, or would have been. */
  count(method: string): number {
    return this.exchanges.filter((exchange) => exchange.method === method).length;
  }

  /** Waits until every request that is on its way upstream was answered, though its sender may have gone. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async stop(): Promise<void> {
    if (this.#down !== "refuse") await this.#close();
    await this.idle();
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, HOST);
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #close(): Promise<void> {
    const closed = once(this.#server.close(), "close");
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve() {
    const server = createServer((request) => {
      const running = this.#exchange(request)
        .catch((error: unknown) => {
          // a test's own: not to be waited for, and to be seen
          request.socket.destroy();
          throw error;
        })
        .finally(() => this.#running.delete(running));
      this.#running.add(running);
    });
    server.on("connection", (socket) => {
      if (this.#down === "reset") {
        socket.resetAndDestroy();
        return;
      }
      this.#sockets.add(socket);
      // a peer that goes away is an end like any other
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    });
    return server;
  }

  async #exchange(request: IncomingMessage): Promise<void> {
    const { method = "", url = "", headers, socket } = request;
    // whoever hangs up before the request is whole has asked for nothing
    const body = await buffer(request).catch(() => undefined);
    if (!body) return;
    const exchange = { method, path: url, headers, body: body.toString() };
    this.exchanges.push(exchange);
    if (this.exchanges.length > MAX_EXCHANGES) this.exchanges.shift();

    const fault = this.fault(exchange);
    let answer = Buffer.alloc(0);
    if (!fault || !("forward" in fault) || fault.forward !== false) {
      const upstream = await this.#forward(exchange, body).catch(() => undefined);
      if (!upstream) {
        socket.resetAndDestroy();
        return;
      }
      answer = upstream;
      await this.onAnswer(exchange, answer);
    }
    // apart: what hangs would keep `idle` from its end
    void play(socket, answer, fault);
  }

  async #forward({ method, path, headers }: Exchange, body: Buffer): Promise<Buffer<ArrayBuffer>> {
    const { host } = this.#target;
    const request = openRequest(this.#target.origin + path, {
      method,
      headers: { ...headers, host, connection: "close" },
      agent: false,
    });
    request.end(body);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const { statusCode = 0, rawHeaders } = response;
    const raw: [string, string][] = [];
    for (let i = 0; i < rawHeaders.length; i += 2) raw.push([rawHeaders[i] ?? "", rawHeaders[i + 1] ?? ""]);
    const kept = raw.filter(([name]) => !FRAMING.test(name));
    return answerOf(statusCode, Object.fromEntries(kept), await buffer(response));
  }
}

/** What says how long an answer is, and how long its connection stays: the relay says so itself. */
const FRAMING = /^(connection|content-length|keep-alive|transfer-encoding)$/i;

/** A whole answer, after which the connection is closed. */
export function answerOf(
  status: number,
  headers: Record<string, string>,
  body: string | Buffer,
): Buffer<ArrayBuffer> {
  const all = { ...headers, "Content-Length": String(Buffer.byteLength(body)), Connection: "close" };
  return Buffer.concat([headOf(status, all), Buffer.from(body)]);
}

/** Status line and headers, as they are given. */
export function headOf(status: number, headers: Record<string, string>): Buffer<ArrayBuffer> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n`);
}

/** Where the body of an answer begins. */
export function bodyStart(answer: Buffer): number {
  return answer.indexOf("\r\n\r\n") + 4;
}

/** Plays an answer back, with the fault. */
async function play(socket: Socket, answer: Buffer, fault: Fault | undefined): Promise<void> {
  switch (fault?.kind) {
    case undefined:
      socket.end(answer);
      break;
    case "delay": {
      const timer = setTimeout(() => socket.end(answer), fault.ms);
      socket.once("close", () => clearTimeout(timer));
      break;
    }
    case "hang":
      socket.write(upTo(answer, fault.after));
      break;
    case "reset":
      // written first: RST takes along what has not left
      socket.write(upTo(answer, fault.after), () => socket.resetAndDestroy());
      break;
    case "cut":
      socket.end(upTo(answer, fault.after));
      break;
    case "garble":
      socket.end(garbled(answer, fault.seed));
      break;
    case "answer": {
      const bytes = typeof fault.bytes === "function" ? fault.bytes(answer) : fault.bytes;
      // whoever has read enough hangs up amid it
      await pipeline(Readable.from(Buffer.isBuffer(bytes) ? [bytes] : bytes), socket).catch(() => {});
      break;
    }
  }
}

function upTo(answer: Buffer, at: At = 0): Buffer {
  return answer.subarray(0, at === "head" ? bodyStart(answer) : at);
}

/** Sets the highest bit of one to eight bytes of the body, which is ASCII where JSON matters. */
function garbled(answer: Buffer, seed: number): Buffer {
  const changed = Buffer.from(answer);
  const start = bodyStart(answer);
  if (start >= answer.length) return changed;
  // a linear congruential generator (Numerical Recipes), whose low bits are poor
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
  for (let left = 1 + (next() % 8); left > 0; left--) {
    const at = start + (next() % (answer.length - start));
    changed.writeUInt8(changed.readUInt8(at) | 0x80, at);
  }
  return changed;
}

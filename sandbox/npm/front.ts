// What stands in front of the sandbox's Worker: a server on loopback that passes everything on as it is.
//
// It plays the faults that a Worker cannot, because they are the network's. The Worker answers with a header, which nobody else sees:
//
// | `X-Sandbox-Fault` | what the client gets |
// |---|---|
// | `hang` | nothing, on a connection that stays open |
// | `reset` | RST |
// | `cut;after=N` | the head and so many bytes of the body, then FIN |

import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  request as openRequest,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";

const HOST = "127.0.0.1";

/** Headers of one connection: each side of the front has its own. `Expect` is one too, since the front has met it by then. */
const OF_A_CONNECTION = /^(connection|expect|keep-alive|proxy-connection|te|upgrade)$/i;
/** And those of an answer that are for the front. */
const NOT_PASSED_BACK = /^(connection|keep-alive|x-sandbox-fault)$/i;

/** A front that listens. */
export interface Front {
  /** Bare origin. */
  url: string;
  /** Closes it, and whatever is connected to it. */
  close(): Promise<void>;
}

/** Listens on a port, 0 for a free one, in front of an origin. Requests that come before that is known wait for it. */
export async function startFront(port: number, target: Promise<string>): Promise<Front> {
  // whoever asks is told; if nobody does, that is no fault of the front's
  target.catch(() => {});
  const server = createServer(listener(target)).listen(port, HOST);
  await once(server, "listening");
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = once(server.close(), "close");
      server.closeAllConnections();
      await closed;
    },
  };
}

function listener(target: Promise<string>): RequestListener {
  return (request, response) => {
    exchange(request, response, target).catch((error: Error) => {
      if (response.headersSent) response.destroy();
      else say(response, 502, `the sandbox's Worker gave no answer: ${error.message}`);
    });
  };
}

/** Passes a request on and its answer back. */
async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  target: Promise<string>,
): Promise<void> {
  const { method, url = "", rawHeaders } = request;
  if (!url.startsWith("/")) {
    // as a proxy is asked; workerd would fail over it
    say(response, 400, "expected a path");
    return;
  }
  const { hostname, port } = new URL(await target);
  // a connection each: workerd closes one that was idle, and the next request may have been sent on it just then
  const headers = passed(rawHeaders, OF_A_CONNECTION);
  const upstream = openRequest({ hostname, port, method, path: url, headers, agent: false });
  // after its answer: the Worker need not read all of a request
  upstream.on("error", () => {});
  // whoever hangs up before the request is whole has asked for nothing; after that, what was asked for is done
  request.on("close", () => request.complete || upstream.destroy());
  request.pipe(upstream);

  const [answer] = (await once(upstream, "response")) as [IncomingMessage];
  const fault = answer.headers["x-sandbox-fault"];
  if (fault === "hang") {
    answer.resume();
    return;
  }
  if (fault === "reset") {
    answer.resume();
    request.socket.resetAndDestroy();
    return;
  }
  const after = fault === undefined ? undefined : /^cut;after=(\d{1,15})$/.exec(String(fault))?.[1];
  if (fault !== undefined && after === undefined) {
    answer.resume();
    throw new Error(`X-Sandbox-Fault: expected hang, reset or cut;after=N, found ${fault}`);
  }

  // The Worker's, or none.
  response.sendDate = false;
  const { statusCode = 502, statusMessage } = answer;
  response.writeHead(statusCode, statusMessage, passed(answer.rawHeaders, NOT_PASSED_BACK));
  if (after === undefined) {
    // a side that goes away takes the other one along
    await pipeline(answer, response).catch(() => {});
  } else {
    response.flushHeaders();
    await write(response, answer, Number(after));
    request.socket.end();
  }
}

/** Writes so many bytes of a body at most. */
async function write(response: ServerResponse, body: IncomingMessage, bytes: number): Promise<void> {
  let left = bytes;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (left === 0) break;
    const part = chunk.subarray(0, left);
    left -= part.length;
    await new Promise<void>((resolve, reject) => {
      response.write(part, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** Raw headers without those of some names, each as it was spelt and as often as it came. */
function passed(raw: string[], without: RegExp): string[] {
  return raw.filter((_, i) => !without.test(raw[i - (i % 2)] ?? ""));
}

/** The front's own words. */
function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}

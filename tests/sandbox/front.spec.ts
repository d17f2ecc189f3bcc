// What stands in front of the sandbox's Worker: bytes pass as they are, and the network's faults are played by the answer's header. The
// Worker's place is taken by a server that answers as each test says.

import { strict as assert } from "node:assert";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { buffer } from "node:stream/consumers";
import { after, beforeEach, suite, test } from "node:test";
import { type Front, startFront } from "../../sandbox/npm/front.ts";

/** A request, as it came to the Worker's place. */
interface Seen {
  method: string | undefined;
  url: string | undefined;
  rawHeaders: string[];
  body: string;
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

let answer: Answer;
let seen: Seen[] = [];
/** Emits `asked` once a request is whole. */
const events = new EventEmitter();
const upstream = createServer((request, response) => {
  // of its own, so that what is passed back is told from what is added
  response.sendDate = false;
  buffer(request).then(
    (body) => {
      const { method, url, rawHeaders } = request;
      seen.push({ method, url, rawHeaders, body: body.toString("latin1") });
      events.emit("asked");
      answer(response, request);
    },
    () => events.emit("broken"),
  );
}).listen(0, "127.0.0.1");
await once(upstream, "listening");
const target = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
const front = await startFront(0, Promise.resolve(target));
after(async () => {
  await front.close();
  upstream.close();
  upstream.closeAllConnections();
});

beforeEach(() => {
  seen = [];
  answer = (response) => response.end("well");
});

/** A connection on which bytes are sent and gathered. */
class Connection {
  readonly socket: Socket;
  /** All that came, byte for byte. */
  came = "";
  /** How it ended, once it has. */
  readonly end: Promise<"closed" | string>;

  constructor(text: string, to: Front = front) {
    this.socket = connect(Number(new URL(to.url).port), "127.0.0.1");
    this.socket.on("data", (bytes) => (this.came += bytes.toString("latin1")));
    this.end = new Promise((resolve) => {
      this.socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      this.socket.on("close", () => resolve("closed"));
    });
    this.socket.write(text, "latin1");
  }

  /** Waits for a text. */
  async until(text: string): Promise<void> {
    while (!this.came.includes(text)) await once(this.socket, "data");
  }

  get body(): string {
    return this.came.slice(this.came.indexOf("\r\n\r\n") + 4);
  }
}

/** All that comes of a request, after which the connection is closed. */
async function exchange(text: string): Promise<Connection> {
  const connection = new Connection(text);
  assert.equal(await connection.end, "closed");
  return connection;
}

const get = (headers = "", path = "/x") => `GET ${path} HTTP/1.1\r\nHost: localhost:8788\r\n${headers}\r\n`;
const CLOSE = "Connection: close\r\n";

suite("a request", () => {
  test("as it was sent: method, path, headers, body", async () => {
    const headers =
      "X-Case: A\r\nx-twice: 1\r\nX-Twice: 2\r\nX-Bytes: caf\xe9\r\nCookie: a=1\r\nCookie: b=2\r\n";
    const body = "\0\x80\xff\r\n\r\n";
    await exchange(
      `PATCH /a//%2e%2e/./b?x=%zz&y=[1]#f HTTP/1.1\r\nHost: evil.example:99\r\n${headers}${CLOSE}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    assert.deepEqual(seen, [
      {
        method: "PATCH",
        url: "/a//%2e%2e/./b?x=%zz&y=[1]#f",
        rawHeaders: [
          ...["Host", "evil.example:99", "X-Case", "A", "x-twice", "1", "X-Twice", "2", "X-Bytes", "caf\xe9"],
          ...["Cookie", "a=1", "Cookie", "b=2", "Content-Length", "7", "Connection", "close"],
        ],
        body,
      },
    ]);
  });

  test("a GET with a body", async () => {
    await exchange(`${get(`${CLOSE}Content-Length: 7\r\n`)}limit=1`);
    assert.equal(seen[0]?.method, "GET");
    assert.equal(seen[0]?.body, "limit=1");
  });

  test("a body in chunks", async () => {
    await exchange(`${get(`${CLOSE}Transfer-Encoding: chunked\r\n`)}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n`);
    assert.equal(seen[0]?.body, "abcde");
    assert.ok(!seen[0]?.rawHeaders.includes("Content-Length"));
  });

  test("a body that its sender was asked to send", async () => {
    const connection = new Connection(get(`${CLOSE}Expect: 100-continue\r\nContent-Length: 3\r\n`));
    await connection.until("HTTP/1.1 100 Continue\r\n\r\n");
    connection.socket.write("abc");
    await connection.end;
    assert.equal(seen[0]?.body, "abc");
    assert.ok(!seen[0]?.rawHeaders.includes("Expect"), "the front has met it");
    assert.match(connection.came, /well$/);
  });

  test("as a proxy is asked, it goes nowhere", async () => {
    for (const url of ["http://evil.example/x", "*"]) {
      const { came } = await exchange(`OPTIONS ${url} HTTP/1.1\r\nHost: localhost\r\n${CLOSE}\r\n`);
      assert.match(came, /^HTTP\/1\.1 400 Bad Request\r\n/);
    }
    assert.deepEqual(seen, []);
  });

  test("many at once", async () => {
    // none is answered before all are there
    const waiting: ServerResponse[] = [];
    answer = (response, { url }) => {
      waiting.push(response.writeHead(200, { "X-Path": url }));
      if (waiting.length === 50) for (const one of waiting) one.end(`${one.getHeader("X-Path") ?? ""}`);
    };
    const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
    const answers = await Promise.all(paths.map((path) => fetch(front.url + path)));
    assert.deepEqual(
      answers.map(({ headers }) => headers.get("x-path")),
      paths,
    );
  });

  test("two on one connection", async () => {
    const connection = new Connection(get("", "/1"));
    await connection.until("well");
    connection.socket.write(get(CLOSE, "/2"));
    await connection.end;
    assert.deepEqual(
      seen.map(({ url }) => url),
      ["/1", "/2"],
    );
    assert.equal(connection.came.match(/well/g)?.length, 2);
  });

  test("that is not whole asks for nothing", async () => {
    const connection = new Connection(`${get("Content-Length: 10\r\n")}abc`);
    const reached = once(upstream, "connection");
    const broken = once(events, "broken");
    await reached;
    connection.socket.destroy();
    await broken;
    assert.deepEqual(seen, []);
  });

  test("that is whole is done, though nobody waits for the answer", async () => {
    const finished = new Promise<boolean>((resolve) => {
      answer = (response) => {
        gone.socket.destroy();
        // by then the front knows
        gone.end.then(async () => {
          await fetch(front.url, { method: "HEAD" });
          response.on("close", () => resolve(response.writableFinished));
          response.end("done");
        }, assert.fail);
        answer = (other) => other.end();
      };
    });
    const gone = new Connection(get());
    assert.equal(await finished, true);
    assert.equal(seen.length, 2);
  });

  test("that comes before the Worker is there waits for it", async () => {
    let runs = (_: string) => {};
    const early = await startFront(0, new Promise((resolve) => (runs = resolve)));
    try {
      const connection = new Connection(get(CLOSE), early);
      await once(connection.socket, "connect");
      // answered by the front itself, after it has read the other
      assert.match(
        (await raw("GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", early)).came,
        / 400 /,
      );
      assert.equal(connection.came, "");
      runs(target);
      await connection.end;
      assert.match(connection.came, /well$/);
    } finally {
      await early.close();
    }
  });
});

async function raw(text: string, to: Front): Promise<Connection> {
  const connection = new Connection(text, to);
  await connection.end;
  return connection;
}

suite("an answer", () => {
  test("as it was given: status, reason, headers, body, and nothing more", async () => {
    answer = (response) =>
      response
        .writeHead(418, "Short and stout", [
          ...["Content-Length", "3", "Set-Cookie", "a=1", "set-cookie", "b=2", "X-Bytes", "caf\xe9"],
          ...["Keep-Alive", "timeout=77", "Connection", "close"],
        ])
        .end(Buffer.from([0, 128, 255]));
    const { came } = await exchange(get(CLOSE));
    assert.equal(
      came,
      "HTTP/1.1 418 Short and stout\r\nContent-Length: 3\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Bytes: caf\xe9\r\nConnection: close\r\n\r\n\0\x80\xff",
    );
  });

  test("in chunks", async () => {
    answer = (response) => {
      response.write("one");
      response.end("two");
    };
    const { came, body } = await exchange(get(CLOSE));
    assert.match(came, /\r\nTransfer-Encoding: chunked\r\n/);
    assert.equal(body, "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
  });

  test("comes bit by bit, as it is made", async () => {
    let rest = () => {};
    answer = (response) => {
      response.write("one");
      rest = () => response.end("two");
    };
    const connection = new Connection(get(CLOSE));
    await connection.until("one");
    rest();
    await connection.end;
    assert.match(connection.body, /two/);
  });

  test("to HEAD", async () => {
    answer = (response) => response.writeHead(200, { "Content-Length": 4 }).end();
    const { came } = await exchange(`HEAD /x HTTP/1.1\r\nHost: localhost\r\n${CLOSE}\r\n`);
    assert.equal(came, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n");
  });

  test("without a body", async () => {
    answer = (response) => response.writeHead(204).end();
    const { came } = await exchange(get(CLOSE));
    assert.equal(came, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  });

  test("that does not wait for the end of its request", async () => {
    const early = createServer((_, response) => response.writeHead(413).end("too much")).listen(
      0,
      "127.0.0.1",
    );
    await once(early, "listening");
    const other = await startFront(
      0,
      Promise.resolve(`http://127.0.0.1:${(early.address() as AddressInfo).port}`),
    );
    try {
      const connection = new Connection(`${get("Content-Length: 1000000\r\n")}begun`, other);
      await connection.until("too much");
      assert.match(connection.came, /^HTTP\/1\.1 413 /);
      connection.socket.destroy();
    } finally {
      await other.close();
      early.close();
      early.closeAllConnections();
    }
  });

  test("that stops in the middle", async () => {
    answer = (response) => {
      response.writeHead(200, { "Content-Length": 10 });
      response.write("abc", () => response.destroy());
    };
    const asked = request(front.url).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    await assert.rejects(buffer(response), { code: "ECONNRESET" });
  });

  test("that never comes, for there is no Worker any more", async () => {
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port } = gone.address() as AddressInfo;
    await once(gone.close(), "close");
    const other = await startFront(0, Promise.resolve(`http://127.0.0.1:${port}`));
    try {
      const response = await fetch(other.url);
      assert.equal(response.status, 502);
      assert.match(await response.text(), /^the sandbox's Worker gave no answer: connect ECONNREFUSED/);
    } finally {
      await other.close();
    }
  });
});

suite("faults", () => {
  const faulty = (fault: string, body = "0123456789", headers: Record<string, string> = {}) => {
    answer = (response) => response.writeHead(200, { "x-sandbox-FAULT": fault, ...headers }).end(body);
  };
  const LENGTH = { "Content-Length": "10" };

  test("hang: nothing comes, and the connection stays open", async () => {
    faulty("hang");
    const asked = once(events, "asked");
    const connection = new Connection(get());
    await asked;
    // a whole exchange of somebody else's goes by
    answer = (response) => response.end("well");
    await exchange(get(CLOSE));
    assert.equal(connection.came, "");
    assert.equal(connection.socket.readyState, "open");
    connection.socket.destroy();
  });

  test("reset: RST, and nothing before it", async () => {
    faulty("reset");
    const connection = new Connection(get());
    assert.equal(await connection.end, "ECONNRESET");
    assert.equal(connection.came, "");
  });

  for (const bytes of [0, 1, 9]) {
    test(`cut after ${bytes} of 10 bytes`, async () => {
      faulty(`cut;after=${bytes}`, "0123456789", LENGTH);
      const { came, body } = await exchange(get());
      assert.match(came, /^HTTP\/1\.1 200 OK\r\nContent-Length: 10\r\nConnection: keep-alive\r\n/);
      assert.equal(body, "0123456789".slice(0, bytes));
    });
  }

  test("cut in chunks: the last one never comes", async () => {
    answer = (response) => {
      response.writeHead(200, { "X-Sandbox-Fault": "cut;after=4" });
      response.write("abc");
      response.end("defghij");
    };
    const { came, body } = await exchange(get());
    assert.match(came, /\r\nTransfer-Encoding: chunked\r\n/);
    assert.equal(body.replace(/\d*\r\n/g, ""), "abcd");
    assert.doesNotMatch(body, /^0\r\n/m);
  });

  test("cut after more than there is: all comes, and then the end", async () => {
    faulty("cut;after=1000", "0123456789", LENGTH);
    assert.equal((await exchange(get())).body, "0123456789");
  });

  test("the header is nobody's business", async () => {
    for (const fault of ["cut;after=3", "cut;after=1000"]) {
      faulty(fault, "0123456789", LENGTH);
      const { came } = await exchange(get());
      assert.match(came, /^HTTP\/1\.1 200 OK\r\n/);
      assert.doesNotMatch(came, /sandbox-fault/i);
    }
  });

  for (const fault of ["", "explode", "cut", "cut;after=", "cut;after=-1", "cut;after=1x", "Hang"]) {
    test(`what is not one is named: ${JSON.stringify(fault)}`, async () => {
      faulty(fault);
      const response = await fetch(front.url);
      assert.equal(response.status, 502);
      assert.equal(
        await response.text(),
        `the sandbox's Worker gave no answer: X-Sandbox-Fault: expected hang, reset or cut;after=N, found ${fault}\n`,
      );
    });
  }
});

suite("the port", () => {
  test("is on loopback and nowhere else", async () => {
    const port = Number(new URL(front.url).port);
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, scopeid }) => !internal && !scopeid)
      .map(({ address }) => address);
    for (const host of [...others, "127.0.0.2", "::1"]) {
      const [error] = await once(connect({ host, port }), "error").catch((error) => [error]);
      assert.match(error.code, /^(ECONNREFUSED|EADDRNOTAVAIL|ENETUNREACH)$/, host);
    }
  });

  test("that is taken is an error", async () => {
    await assert.rejects(startFront(Number(new URL(front.url).port), Promise.resolve(target)), {
      code: "EADDRINUSE",
    });
  });

  test("is closed, and with it what hangs", async () => {
    const other = await startFront(0, new Promise(() => {}));
    const connection = new Connection(get(), other);
    await once(connection.socket, "connect");
    await other.close();
    await connection.end;
    await assert.rejects(fetch(other.url), ({ cause }) => cause.code === "ECONNREFUSED");
  });
});

// A sandbox of one's own, and how to speak to it.

import { request } from "node:http";
import { after } from "node:test";
import { type Database, randomSecrets, startSandbox } from "../../harness/stack.ts";

/** What an answer of the API carries, read as text first: the tests look at its form as well. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: it is what is being tested
  body: any;
}

export interface Sandbox {
  url: string;
  /** Its Worker, behind what plays the network's faults. */
  behind: string;
  /** Its secret key. */
  key: string;
  /** Every line that it logged. */
  lines: string[];
  db(): Promise<Database>;
  /** Ends it; the test file's end does so too. */
  stop(): Promise<void>;
  /** Calls the API with the key. */
  call(method: string, path: string, init?: RequestInit): Promise<Answer>;
  /** Calls the API with the key, and with what fetch does not let through: a body on a GET, chunks, or a `Host`. */
  send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer>;
  /** Creates an account, with a form body. */
  create(fields?: Record<string, string>): Promise<Answer>;
  /** Creates an account and gives its id. */
  pending(fields?: Record<string, string>): Promise<string>;
  /** Answers at the bank, without following the redirect. */
  answer(ref: string, fields: Record<string, string>): Promise<Response>;
  /** Creates an account and approves it. */
  registered(): Promise<string>;
  /** Makes the time of an account be over. */
  lapse(id: string): Promise<void>;
  /** Creates an account as if it had been at this time. */
  pendingSince(createdAt: string, fields?: Record<string, string>): Promise<string>;
}

export const RETURN_URI = "https://shop.example/return?order=7&link_state=abc";

/**
 * A connection for each request. workerd closes one that was idle for some seconds, and on a busy machine the next request may have
 * been sent on it just then.
 */
const ALONE = { connection: "close" };

export const basic = (user: string, password = "") =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

export async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text === "" ? undefined : JSON.parse(text),
  };
}

/**
 * Starts a sandbox that ends with the test file. `bindings` override its settings; `statePath` is the folder of its database, which
 * otherwise is in memory.
 */
export async function sandbox(
  bindings?: Record<string, string | undefined>,
  statePath?: string,
): Promise<Sandbox> {
  const secrets = randomSecrets();
  const lines: string[] = [];
  const running = await startSandbox({ secrets, bindings, statePath, log: (line) => lines.push(line) });
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    stopped ??= running.dispose();
    await stopped;
  };
  after(stop);

  const call: Sandbox["call"] = async (method, path, init = {}) => {
    const headers = { authorization: basic(secrets.OMISE_SECRET_KEY), ...ALONE, ...init.headers };
    return await read(await fetch(running.url + path, { method, ...init, headers }));
  };
  const send: Sandbox["send"] = (method, path, headers, body) =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(running.url);
      const authorization = basic(secrets.OMISE_SECRET_KEY);
      // of itself, Node would send the body of a GET without any
      const length =
        body === undefined || "transfer-encoding" in headers
          ? {}
          : { "content-length": `${Buffer.byteLength(body)}` };
      const sent = request(
        { hostname, port, method, path, headers: { authorization, ...ALONE, ...length, ...headers } },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk) => chunks.push(chunk)).on("error", reject);
          answer.on("end", () => {
            const named = Object.entries(answer.headersDistinct).map(([name, values]) => [
              name,
              values?.join(", ") ?? "",
            ]);
            const init = { status: answer.statusCode ?? 0, headers: Object.fromEntries(named) };
            resolve(read(new Response(Buffer.concat(chunks), init)));
          });
        },
      );
      sent.on("error", reject).end(body);
    });
  const create: Sandbox["create"] = async (fields) => {
    const body = new URLSearchParams({ type: "direct_debit_kbank", return_uri: RETURN_URI, ...fields });
    return await call("POST", "/linked_accounts", { body });
  };
  const pending: Sandbox["pending"] = async (fields) => (await create(fields)).body.id;
  const answer: Sandbox["answer"] = async (ref, fields) =>
    await fetch(`${running.url}/register`, {
      method: "POST",
      body: new URLSearchParams({ ref, ...fields }),
      headers: ALONE,
      redirect: "manual",
    });
  return {
    url: running.url,
    behind: running.behind,
    key: secrets.OMISE_SECRET_KEY,
    lines,
    db: running.db,
    stop,
    call,
    send,
    create,
    pending,
    answer,
    registered: async () => {
      const id = await pending();
      await answer(id, { action: "approve", account: "savings" });
      return id;
    },
    lapse: async (id) => {
      const db = await running.db();
      await db.prepare("UPDATE accounts SET expires_at = '2024-06-04T04:11:14Z' WHERE id = ?").bind(id).run();
    },
    pendingSince: async (createdAt, fields) => {
      const id = await pending(fields);
      const db = await running.db();
      await db.prepare("UPDATE accounts SET created_at = ? WHERE id = ?").bind(createdAt, id).run();
      return id;
    },
  };
}

// A sandbox of one's own, and how to speak to it.

import { after } from "node:test";
import { type Database, randomSecrets, startSandbox } from "../../xtask/stack.ts";

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
  /** Its secret key. */
  key: string;
  /** Every line that it logged. */
  lines: string[];
  db(): Promise<Database>;
  /** Calls the API with the key. */
  call(method: string, path: string, init?: RequestInit): Promise<Answer>;
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

/** Starts a sandbox that ends with the test file. `bindings` override its settings. */
export async function sandbox(bindings?: Record<string, string | undefined>): Promise<Sandbox> {
  const secrets = randomSecrets();
  const lines: string[] = [];
  const running = await startSandbox({ secrets, bindings, log: (line) => lines.push(line) });
  after(() => running.dispose());

  const call: Sandbox["call"] = async (method, path, init = {}) => {
    const headers = { authorization: basic(secrets.OMISE_SECRET_KEY), ...ALONE, ...init.headers };
    return await read(await fetch(running.url + path, { method, ...init, headers }));
  };
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
    key: secrets.OMISE_SECRET_KEY,
    lines,
    db: running.db,
    call,
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

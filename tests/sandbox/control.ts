// A sandbox that can be controlled.

import { randomBytes } from "node:crypto";
import { type Answer, read, type Sandbox, sandbox } from "./sandbox.ts";

export interface Controlled extends Sandbox {
  /** What opens the control API. */
  token: string;
  /** Calls the control API, with JSON where there is a body. */
  control(method: string, path: string, body?: unknown): Promise<Answer>;
}

/** Starts a sandbox that ends with the test file. `bindings` override its settings. */
export async function controlled(bindings?: Record<string, string>): Promise<Controlled> {
  const token = randomBytes(32).toString("base64url");
  const started = await sandbox({ CONTROL_TOKEN: token, ...bindings });
  return {
    ...started,
    token,
    control: async (method, path, body) => {
      const headers = { authorization: `Bearer ${token}`, connection: "close" };
      const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
      return await read(await fetch(`${started.url}/sandbox${path}`, init));
    },
  };
}

// Key servers: publish a JWK set at an address, as a shop does.

import type { TestContext } from "node:test";
import { FakeOmise } from "../../harness/omise.ts";

/** Starts a key server for the duration of the test; returns it and the address of its set. */
export async function publishing(t: TestContext, answer: FakeOmise["answer"]): Promise<[FakeOmise, string]> {
  const server = new FakeOmise();
  server.answer = answer;
  const url = `${await server.start()}/keys?for=links`;
  t.after(() => server.stop());
  return [server, url];
}

/** Returns a handler that answers with a set. */
export function serving(set: string, status = 200): FakeOmise["answer"] {
  return (_, response) => void response.writeHead(status, { "Content-Type": "application/json" }).end(set);
}

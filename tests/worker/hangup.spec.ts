// Clients that hang up while an answer is held: the edge ends its part, and the object asks Omise no more for them.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { account, answering, FakeOmise } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf, token } from "../../harness/session.ts";
import { type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { Customer } from "../support/customer.ts";
import { until } from "../support/until.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
const lines: string[] = [];
let worker: RunningWorker;
let me: Customer;
let id: string;

before(async () => {
  const omiseUrl = await omise.start();
  omise.answer = (request, response, form) => {
    const known = request.method === "GET" && /lnac_\w+/.exec(request.url ?? "")?.[0];
    const created_at = `${new Date().toISOString().slice(0, 19)}Z`;
    const body = account({
      registration_uri: `${omiseUrl}/register`,
      created_at,
      ...(known && { id: known }),
    });
    answering(200, body)(request, response, form);
  };
  const log = (line: string) => lines.push(line);
  worker = await startWorker({ omiseUrl, storefrontUrl: STOREFRONT, secrets, log });
  me = new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID() });
  id = (await me.create()).body.id;
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});

/** Asks for the account, to be held, and gives what hangs up: a reset, which the server sees at once. */
async function held(): Promise<() => void> {
  const socket = connect(Number(new URL(worker.url).port), "127.0.0.1");
  await once(socket, "connect");
  const head = [
    `GET /linked_accounts/${id} HTTP/1.1`,
    "Host: 127.0.0.1",
    `Authorization: Bearer ${token(me.session, me.claims)}`,
    "Prefer: wait=20",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  return () => socket.resetAndDestroy();
}

const reads = () => omise.requests.filter(({ method }) => method === "GET").length;
const ended = () =>
  lines.filter((line) => line.includes('"part":"edge"') && line.includes("retrieve")).length;

test("a held answer whose client has hung up is held no longer, and read for no more", async () => {
  const asked = reads();
  const hangUps = [await held(), await held(), await held()];
  // the readings of the first moment, and one three seconds later: they wait
  await until(async () => reads() >= asked + 2);
  for (const hangUp of hangUps) hangUp();
  await until(async () => ended() === 3);
  const before = reads();
  // the object has nothing left to do for them: a reading now is this customer's own
  assert.equal((await me.get(id)).status, 200);
  assert.ok(reads() <= before + 1);
  assert.ok(lines.every((line) => !line.includes('"status":500')));
});

// A shop's program, in a Bun that cannot decompress.

import { readFile } from "node:fs/promises";
import { createClient, LoadError } from "omise-linked-accounts";
import { verifyWebhook } from "omise-linked-accounts/webhook";

const options = { endpoint: "http://127.0.0.1:9", getToken: () => "token" };
const wasm = await readFile(new URL(import.meta.resolve("omise-linked-accounts/wasm")));
const came = [];
for (const call of [
  () => createClient(options).retrieve("nonsense"),
  () => verifyWebhook("", {}, "c2VjcmV0"),
  () => createClient({ ...options, wasm }).retrieve("nonsense"),
]) {
  const error = await call().catch((error) => error);
  came.push([error.name, error instanceof LoadError, error.reason, error.cause?.message]);
}
console.log(JSON.stringify(came));

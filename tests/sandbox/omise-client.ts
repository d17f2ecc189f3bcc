// One call of Omise's official client for Node, in a process of its own: for the port, a global has to be set.
//
// What to call comes as JSON on standard input; what came of it goes out the same way.

import { globalAgent } from "node:http";
import { createRequire } from "node:module";
import { json } from "node:stream/consumers";

/** A call of one of the client's resources. */
interface Call {
  url: string;
  secretKey: string;
  publicKey: string;
  resource: string;
  action: string;
  args: unknown[];
}

// Its declared types know neither `search` nor the class that all resources are made of.
const require = createRequire(import.meta.url);
const omise = require("omise");
const { resourceActions } = require("omise/lib/apiResources");

const { url, resource, action, args, secretKey, publicKey } = (await json(process.stdin)) as Call;
const { hostname, port } = new URL(url);
// The client takes a host but no port. As text, for Node compares it to a number: so it goes into `Host` as well.
Object.assign(globalAgent, { defaultPort: port });

const config = { host: hostname, scheme: omise.Scheme.Http, secretKey, publicKey };
const known = omise(config);
const target = known[resource] ?? resourceActions(resource, [action], { ...config, key: secretKey });
const outcome = await target[action](...args).then(
  (answer: unknown) => ({ answer }),
  (error: unknown) => ({ error }),
);
process.stdout.write(JSON.stringify(outcome));

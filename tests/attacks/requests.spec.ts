// Requests as an attacker writes them: addresses, ids, paths, headers and bodies that mean one thing to one reader and another to
// the next.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { account, answering, FakeOmise, listOf, searchOf } from "../../harness/omise.ts";
import { OPERATE, STOREFRONT, sessionOf, token } from "../../harness/session.ts";
import { type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, ATTRIBUTES, assertError, assertStandardHeaders, issuesOf } from "../support/answer.ts";
import { assertContract } from "../support/contract.ts";
import { Customer } from "../support/customer.ts";
import { Ledgers } from "../support/ledgers.ts";
import { seedLinks } from "../support/seed.ts";
import { objectName, openStamp, STAMP, sealStamp } from "../support/stamp.ts";
import { until } from "../support/until.ts";
import { deliver, eventOf } from "../support/webhook.ts";

/** The shop's list: an origin and a path, and some whose every path is allowed. */
const RETURN_URIS = [
  "https://shop.example/return",
  "https://shop.example:8443/return",
  "https://open.example/",
  "https://203.0.113.7/",
  "http://127.0.0.1:1/return",
  "http://localhost/",
  "http://[::1]:3000/",
];
const CITIZEN_ID = "1101700230708";

const omise = new FakeOmise();
const secrets = randomSecrets();
const lines: string[] = [];
let omiseUrl: string;
let worker: RunningWorker;
let db: Ledgers;
let me: Customer;

before(async () => {
  omiseUrl = await omise.start();
  worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
    bindings: { RETURN_URIS: RETURN_URIS.join(",") },
    log: (line) => lines.push(line),
  });
  db = new Ledgers(worker);
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(() => {
  omise.requests.length = 0;
  omise.answer = asAsked;
  lines.length = 0;
  me = stranger();
});

/** Omise, as it should be: an account of what the form says. */
const asAsked: FakeOmise["answer"] = (request, response, body) => {
  const id = /^\/linked_accounts\/(\w+)$/.exec(request.url ?? "")?.[1];
  const form = new URLSearchParams(body);
  const made = {
    ...(id && { id }),
    ...(request.method === "DELETE" && { status: "deleted" }),
    registration_uri: `${omiseUrl}/register`,
    return_uri: form.get("return_uri"),
    metadata: metadataOf(form),
  };
  answering(200, account(made))(request, response, body);
};

/** The entries `metadata[name]`; names of a prototype's are names. */
function metadataOf(form: URLSearchParams): Record<string, string> {
  const entries = [...form].filter(([name]) => name.startsWith("metadata["));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice("metadata[".length, -1), value]));
}

function stranger(claims: Record<string, unknown> = {}): Customer {
  return new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID(), ...claims });
}

/** The form that Omise was sent last. */
function sent(): URLSearchParams {
  const last = omise.requests.at(-1);
  assert.equal(`${last?.method} ${last?.path}`, "POST /linked_accounts");
  return new URLSearchParams(last?.body);
}

/** The address that Omise was sent last, without the Worker's own parameter. */
function sentReturnUri(): string {
  const [, asked] = /^(.*)[?&]link_state=[\w-]{22}$/.exec(sent().get("return_uri") ?? "") ?? [];
  assert.ok(asked !== undefined, "there is no link_state");
  return asked;
}

/** Nothing came of it: no request to Omise, no row, and no secret in the log. */
async function assertNothingDone(who: Customer): Promise<void> {
  assert.deepEqual(omise.requests, []);
  const rows = "SELECT id FROM attempts UNION ALL SELECT id FROM links";
  assert.deepEqual(await db.of(who.claims.sub, rows), []);
  await assertLogKeepsSecrets();
}

async function assertLogKeepsSecrets(): Promise<void> {
  // The log comes after the answers: the line of one more request has those of the others before it.
  const id = (await fetch(`${worker.url}/health`)).headers.get("X-Request-Id") ?? "no id";
  await until(async () => lines.some((line) => line.includes(id)));
  const log = lines.join("\n");
  for (const secret of [...Object.values(secrets), CITIZEN_ID, "Bearer", "eyJ"])
    assert.ok(!log.includes(secret));
}

/** The address is refused with this code, whichever customer asks. */
async function assertAddressRefused(uri: unknown, code: string): Promise<void> {
  const answer = await me.create({ return_uri: uri, citizen_id: CITIZEN_ID });
  const reason = code === "not_allowed" ? "return_uri_not_allowed" : "invalid_request";
  assert.equal(answer.status, 400, `${JSON.stringify(uri)} is taken`);
  assert.deepEqual(issuesOf(answer), [`return_uri ${code}`], JSON.stringify(uri));
  assertError(answer, 400, reason);
}

/** The address is taken, and leaves in this form; no customer has it in the way of the next. */
async function assertAddressTaken(uri: string, leaves: string): Promise<void> {
  const answer = await stranger().create({ return_uri: uri });
  assert.equal(answer.status, 200, `${uri}: ${JSON.stringify(answer.body)}`);
  assert.equal(sentReturnUri(), leaves);
  assert.equal(answer.body.return_uri, leaves);
}

interface Raw {
  status: number;
  headers: Headers;
  text: string;
}

/**
 * Sends bytes as they are, where fetch would tidy them up, and reads the one answer. The connection stays open until then: who
 * waits for more of the request than is here gives none.
 */
async function exchange(bytes: (string | Uint8Array)[], method: string, end?: "hang up"): Promise<Raw> {
  const { hostname, port } = new URL(worker.url);
  const socket = connect(Number(port), hostname);
  for (const part of bytes) socket.write(part);
  if (end) socket.end();
  let text = "";
  const read = async () => {
    for await (const chunk of socket) {
      text += chunk.toString("latin1");
      if (isWhole(text, method)) return;
    }
  };
  const patience = AbortSignal.timeout(10_000);
  patience.addEventListener("abort", () => socket.destroy());
  // who hangs up may have answered
  await read().catch(() => {});
  socket.destroy();
  assert.match(text, /^HTTP\/1\.1 \d{3} /, "there is no answer");
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [first = "", ...fields] = head.split("\r\n");
  const headers = new Headers(fields.map((field) => field.split(/: ?(.*)/s, 2) as [string, string]));
  return {
    status: Number(first.split(" ")[1]),
    headers,
    text: Buffer.from(rest.join("\r\n\r\n"), "latin1").toString(),
  };
}

function isWhole(text: string, method: string): boolean {
  const end = text.indexOf("\r\n\r\n") + 4;
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  return end >= 4 && (method === "HEAD" || (length !== undefined && text.length >= end + Number(length)));
}

/** A refusal by workerd, in whose name the Worker says nothing. */
function assertOfTheRuntime({ status, headers, text }: Raw): void {
  assert.ok(status >= 400, `${status} ${text}`);
  assert.equal(headers.get("X-Request-Id"), null, text);
}

/** A request of a customer's, byte for byte, and the answer. */
async function send(
  who: Customer,
  method: string,
  target: string,
  fields: string[] = [],
  ...body: (string | Uint8Array)[]
): Promise<Answer> {
  const authorization = `Authorization: Bearer ${token(who.session, who.claims)}`;
  const head = [`${method} ${target} HTTP/1.1`, `Host: ${new URL(who.url).host}`, authorization, ...fields];
  const { status, headers, text } = await exchange([`${head.join("\r\n")}\r\n\r\n`, ...body], method);
  const answer = { status, headers, body: text ? JSON.parse(text) : undefined };
  assertContract(method, pathOf(who.url + target), answer);
  return answer;
}

/** The path of an address as workerd reads it: unlike the WHATWG parser it resolves neither encoded dots nor backslashes. */
const pathOf = (address: string) =>
  new URL(address.replaceAll(/%2e/gi, "%252e").replaceAll("\\", "%5c")).pathname;

const JSON_TYPE = "Content-Type: application/json";
const key = () => `Idempotency-Key: ${randomUUID()}`;
const lengthOf = (body: string | Uint8Array) => `Content-Length: ${Buffer.byteLength(body)}`;

/** A create whose body is these bytes. */
const post = (who: Customer, body: string | Uint8Array, type = JSON_TYPE) =>
  send(who, "POST", "/linked_accounts", [type, key(), lengthOf(body)], body);

/** A create's JSON that is good but for what is put in. */
const good = (more = "") => `{"type":"direct_debit_kbank","return_uri":"${STOREFRONT}/return"${more}}`;

/** What a test keeps of a customer's answer to compare it with another. */
const seen = ({ status, body }: Answer) => ({ status, body: { ...body, request_id: "" } });

test("C13: a customer is sent back to the shop's own addresses, and nowhere else", async () => {
  for (const [uri, code] of [
    ["https://evil.example/return", "not_allowed"],
    ["https://shop.example.evil.example/return", "not_allowed"],
    ["https://shop.example-evil.example/return", "not_allowed"],
    ["https://shop.examples/return", "not_allowed"],
    ["https://evil-shop.example/return", "not_allowed"],
    ["https://www.shop.example/return", "not_allowed"],
    ["https://example/return", "not_allowed"],
    ["https://shop.example:444/return", "not_allowed"],
    ["https://shop.example:84430/return", "invalid"],
    ["https://shop.example:8444/return", "not_allowed"],
    ["https://open.example:8443/", "not_allowed"],
    ["https://open.example.evil.example/", "not_allowed"],
    ["http://127.0.0.1:11/return", "not_allowed"],
    ["http://127.0.0.1/return", "not_allowed"],
    ["http://127.0.0.2:1/return", "not_allowed"],
    ["http://localhost:8080/", "not_allowed"],
    ["https://localhost/", "not_allowed"],
    ["https://203.0.113.70/", "not_allowed"],
    ["https://evil.example/https://shop.example/return", "not_allowed"],
    ["https://evil.example/?to=https://shop.example/return", "not_allowed"],
    ["https://evil.example?https://shop.example/return", "not_allowed"],
    ["https://evil.example/shop.example/return", "not_allowed"],
    // the origin alone is not enough
    ["https://shop.example/", "not_allowed"],
    ["https://shop.example", "not_allowed"],
    ["https://shop.example/redirect?to=https://evil.example", "not_allowed"],
    ["https://shop.example/?/return", "not_allowed"],
    ["https://shop.example/returned", "not_allowed"],
    ["https://shop.example/return2/x", "not_allowed"],
    ["https://shop.example/return-to-evil", "not_allowed"],
    ["https://shop.example/return;x", "not_allowed"],
    ["https://shop.example/retur", "not_allowed"],
    ["https://shop.example/Return", "not_allowed"],
    ["https://shop.example//return", "not_allowed"],
    ["https://shop.example/x/return", "not_allowed"],
    ["https://shop.example/%72eturn", "not_allowed"],
    ["https://shop.example:8443/returned", "not_allowed"],
    // not addresses, or not of this kind
    ["http://shop.example/return", "invalid"],
    ["//evil.example/return", "invalid"],
    ["/return", "invalid"],
    ["return", "invalid"],
    ["?to=https://evil.example", "invalid"],
    ["*", "invalid"],
    ["https://*/return", "invalid"],
    ["", "required"],
    [null, "required"],
    [["https://shop.example/return", "https://evil.example/"], "wrong_type"],
    [{ href: "https://shop.example/return" }, "wrong_type"],
    [true, "wrong_type"],
    [0, "wrong_type"],
  ] as const) {
    await assertAddressRefused(uri, code);
  }
  await assertNothingDone(me);
});

test("C13: what is below an address on the list is the shop's own", async () => {
  for (const uri of [
    "https://shop.example/return",
    "https://shop.example/return/",
    "https://shop.example/return/7/of/9",
    "https://shop.example/return?to=https://evil.example/",
    "https://shop.example:8443/return",
    "https://open.example/anything",
    "http://127.0.0.1:1/return",
  ]) {
    await assertAddressTaken(uri, uri);
  }
});

test("C14: an address that two parsers read differently is refused", async () => {
  for (const uri of [
    // backslashes are slashes to browsers alone
    "https://open.example\\@evil.example/",
    "https://evil.example\\@open.example/",
    "https://evil.example\\.open.example/",
    "https:\\\\open.example\\",
    "https:/\\open.example/",
    "https://open.example/\\evil.example",
    "https://shop.example/return\\..\\..\\evil",
    "https://shop.example/return/..\\evil",
    "https://shop.example/return?a=\\",
    // slashes missing, or too many
    "https:open.example/",
    "https:/open.example/",
    "https:///open.example/",
    "https:////open.example/",
    "https://",
    "https:",
    "https:?open.example",
    "://open.example/",
    // user info
    "https://open.example@evil.example/",
    "https://evil.example@open.example/",
    "https://open.example:443@evil.example/",
    "https://a:b@open.example/",
    "https://@open.example/",
    "https://:@open.example/",
    "https://open.example%40evil.example/",
    "https://open.example:@evil.example/",
    // dots and digits that are not ASCII
    "https://open。example/",
    "https://open．example/",
    "https://open｡example/",
    "https://２０３.0.113.7/",
    "https://203.0.113.７/",
    "https://②03.0.113.7/",
    "https://٢03.0.113.7/",
    "https://open.example\u2044evil.example/",
    "https://open.example\uff0fevil.example/",
    "https://open.example\u2215.evil.example/",
    // numbers that some read as an IPv4 address
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7F.1/",
    "http://017700000001/",
    "http://0177.0.0.1:1/return",
    "http://127.1:1/return",
    "http://127.0.1:1/return",
    "http://127.0.0.1.:1/return",
    "http://127.0.0.01:1/return",
    "http://127.0.0.0x1:1/return",
    "http://127.0.0.256:1/return",
    "http://127.0.0.1.1:1/return",
    "https://3405803783/",
    "https://203.0.28935/",
    "https://open.0x7f/",
    "https://open.1/",
    "https://0/",
    "https://0x/",
    // IPv6, with zones and with IPv4 in it
    "http://[0:0:0:0:0:0:0:1]:3000/",
    "http://[::0001]:3000/",
    "http://[::1%25lo]:3000/",
    "http://[::1%lo]:3000/",
    "http://[::ffff:127.0.0.1]:3000/",
    "http://[::ffff:7f00:1]:3000/",
    "http://[::]:3000/",
    "http://[::1:3000/",
    "http://::1:3000/",
    "http://[::1]3000/",
    "http://[[::1]]:3000/",
    "http://[v1.fe80]:3000/",
    "https://[open.example]/",
    // percent in the host
    "https://open%2eexample/",
    "https://%6fpen.example/",
    "https://open.example%2f.evil.example/",
    "https://open.example%00/",
    "https://open.example%23.evil.example/",
    "https://open.example%/",
    // dots and hyphens where names have none
    "https://open.example./",
    "https://open.example../",
    "https://.open.example/",
    "https://open..example/",
    "https://./",
    "https://open_.example/",
    "https://open.example,evil.example/",
    "https://open.example;evil.example/",
    "https://open.example$/",
    `https://${"a".repeat(64)}.example/`,
    `https://${"a.".repeat(126)}example/`,
    // ports
    "https://open.example:/",
    "https://open.example:0/",
    "https://open.example:0443/",
    "https://open.example:00443/",
    "https://open.example:65979/",
    "https://open.example:4294967739/",
    "https://open.example:443:443/",
    "https://open.example:+443/",
    "https://open.example:-443/",
    "https://open.example:4e2/",
    "https://open.example:٤٤٣/",
    "https://open.example:http/",
    // dot segments, as they are and encoded: out of /return
    "https://shop.example/return/../evil",
    "https://shop.example/return/..",
    "https://shop.example/return/../../return/../evil",
    "https://shop.example/return/./x",
    "https://shop.example/return/.",
    "https://shop.example/return/%2e%2e/evil",
    "https://shop.example/return/%2E./evil",
    "https://shop.example/return/.%2e/evil",
    "https://shop.example/return/%2e/evil",
    "https://shop.example/return/%252e%252e/evil",
    "https://shop.example/return/..%2fevil",
    "https://shop.example/return/..%5cevil",
    "https://shop.example/return%2f..%2fevil",
    "https://shop.example/return%00",
    "https://shop.example/return/%7f",
    "https://shop.example/return/%",
    "https://shop.example/return/%zz",
    "https://shop.example/return/%u002e",
    "https://shop.example/return/ก",
    "https://shop.example/return/<script>",
    "https://shop.example/return/{}",
    'https://shop.example/return/"',
    "https://shop.example/return/^|`",
    "https://shop.example/return?<script>",
  ]) {
    await assertAddressRefused(uri, "invalid");
  }
  await assertNothingDone(me);
});

test("C14: what leaves is the address written anew, never what came in", async () => {
  for (const [uri, leaves] of [
    ["https://OPEN.Example/A", "https://open.example/A"],
    ["https://open.example", "https://open.example/"],
    ["https://open.example?a=b", "https://open.example/?a=b"],
    ["https://open.example:443/a", "https://open.example/a"],
    ["https://Shop.Example:8443/return", "https://shop.example:8443/return"],
    ["http://LOCALHOST:80", "http://localhost/"],
    ["http://[::1]:3000", "http://[::1]:3000/"],
    ["https://203.0.113.7:443", "https://203.0.113.7/"],
    ["https://open.example//a///b", "https://open.example//a///b"],
    ["https://open.example/a%20%E0%B8%81?b=%0a", "https://open.example/a%20%E0%B8%81?b=%0a"],
    ["https://open.example/a;b,c:d@e", "https://open.example/a;b,c:d@e"],
    ["https://open.example/?/../..", "https://open.example/?/../.."],
  ] as const) {
    await assertAddressTaken(uri, leaves);
  }
});

/** Addresses at the edge: what is right, with things put in that parsers are known to disagree about. */
function addresses(): fc.Arbitrary<string> {
  const mostly = (right: string[], wrong: fc.Arbitrary<string>) =>
    fc.oneof({ weight: 7, arbitrary: fc.constantFrom(...right) }, { weight: 1, arbitrary: wrong });
  const scheme = mostly(
    ["https://", "http://"],
    fc.constantFrom("HTTPS://", "ftp://", "https:/", "https:\\\\", "//"),
  );
  const user = mostly([""], fc.constantFrom("user@", "@", "a:b@", "open.example@", "open.example\\@"));
  const host = mostly(
    ["open.example", "shop.example", "203.0.113.7", "localhost", "127.0.0.1", "[::1]"],
    fc.oneof(
      fc.domain(),
      fc.ipV4Extended(),
      fc.ipV6().map((address) => `[${address}]`),
      fc.stringMatching(/^[a-z0-9._~%!$&'()*+,;=-]{1,10}$/),
      fc.constantFrom(
        "open.example.",
        "open。example",
        "op\ten.example",
        "ореn.example",
        "xn--pen-fed.example",
      ),
    ),
  );
  const port = mostly(["", "", ":443", ":80", ":8443", ":3000", ":1"], fc.stringMatching(/^:[0-9x+]{0,6}$/));
  const origins = [
    "https://OPEN.example",
    "https://open.example:443",
    "http://Localhost",
    "http://localhost:80",
  ];
  const origin = fc.oneof(
    fc.constantFrom(...origins, ...RETURN_URIS.map((uri) => new URL(uri).origin)),
    fc.tuple(scheme, user, host, port).map((parts) => parts.join("")),
  );
  const path = mostly(
    ["", "/", "/return", "/return/a", "//", "/return/%E0%B8%81"],
    fc.oneof(
      fc.webPath(),
      fc.stringMatching(/^(\/(\.|%2[eEfF]|%5[cC]|%[0-9a-f]{2}|a|\\|\t| ){0,4}){1,4}$/),
      fc.stringMatching(/^\/return(\/(\.|%2[eE]|a|\\){1,3}){1,3}$/),
    ),
  );
  const query = mostly(
    ["", "?", "?a=b&c=%26"],
    fc.stringMatching(/^\?[a-zA-Z0-9=&%'"<>{}|^`/?[\]\\-]{0,10}$/),
  );
  const junk = fc.oneof(
    { weight: 12, arbitrary: fc.constant("") },
    { weight: 1, arbitrary: fc.constantFrom("#", "#x", "\t", "\n", " ", "ก", "。", "\0") },
  );
  return fc.tuple(origin, path, query, junk).map((parts) => parts.join(""));
}

/** Where the WHATWG parser, which browsers follow, says that an address leads. */
const placeOf = ({ protocol, hostname, port, pathname }: URL) => ({ protocol, hostname, port, pathname });

/** Whether the WHATWG parser finds an address on the shop's list. */
function isOnTheList(url: URL): boolean {
  return RETURN_URIS.map((text) => new URL(text)).some(({ origin, pathname }) => {
    const path = pathname.replace(/\/$/, "");
    return origin === url.origin && (url.pathname === path || url.pathname.startsWith(`${path}/`));
  });
}

test("C14: the WHATWG parser agrees about every address that is accepted, and every one that is not on the list", async () => {
  const counted = { taken: 0, not_allowed: 0, invalid: 0 };
  const property = fc.asyncProperty(addresses(), async (uri) => {
    const asked = omise.requests.length;
    const answer = await stranger().create({ return_uri: uri });
    if (answer.status !== 200) {
      assert.equal(omise.requests.length, asked);
      assert.match(answer.body.reason, /^(invalid_request|return_uri_not_allowed)$/);
      const code: "not_allowed" | "invalid" = answer.body.issues[0].code;
      counted[code] += 1;
      if (code === "not_allowed")
        assert.ok(!isOnTheList(new URL(uri)), "the parsers disagree, and it is on the list");
      return;
    }
    counted.taken += 1;
    const left = sentReturnUri();
    assert.deepEqual(placeOf(new URL(left)), placeOf(new URL(uri)));
    assert.ok(isOnTheList(new URL(left)));
    const { origin, pathname, username, password, hash } = new URL(left);
    assert.equal(left.split("?", 1)[0], `${origin}${pathname}`, "it is written as the parser writes it");
    assert.deepEqual([username, password, hash], ["", "", ""]);
  });
  await fc.assert(property, { numRuns: 300 });
  // or the others prove nothing
  assert.ok(counted.taken > 20 && counted.not_allowed > 20 && counted.invalid > 20, JSON.stringify(counted));
});

test("C15: an address with a space or a control character anywhere is refused before it is parsed", async () => {
  const places = [
    (c: string) => `${c}https://open.example/`,
    (c: string) => `https://open.example/${c}`,
    (c: string) => `ht${c}tps://open.example/`,
    (c: string) => `https:${c}//open.example/`,
    (c: string) => `https:/${c}/open.example/`,
    (c: string) => `https://${c}open.example/`,
    (c: string) => `https://op${c}en.example/`,
    (c: string) => `https://open.example${c}.evil.example/`,
    (c: string) => `https://open.example:44${c}3/`,
    (c: string) => `https://open.example/${c}/evil.example`,
    (c: string) => `https://shop.example/return/.${c}./evil`,
    (c: string) => `https://open.example/?a=${c}b`,
    (c: string) => `java${c}script:alert(1)`,
  ];
  const characters = [
    "\t",
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\v",
    "\f",
    "\x1b",
    "\x7f",
    " ",
    "\x85",
    "\xa0",
    "\xad",
  ];
  for (const c of [...characters, "\u200b", "\u2028", "\u3000", "\ufeff"]) {
    for (const place of places) await assertAddressRefused(place(c), "invalid");
  }
  // encoded, where a server may decode them
  for (const code of ["%09", "%0a", "%0D", "%0d%0aLocation:%20https://evil.example", "%00", "%1f", "%7F"]) {
    await assertAddressRefused(`https://open.example/${code}/evil.example`, "invalid");
  }
  for (const c of ["\t", "\r", "\n"]) {
    const body = good().replace("/return", `/return/${c}/evil.example`);
    assertError(await post(me, body), 400, "malformed_json");
  }
  await assertNothingDone(me);
});

test("C16: look-alike hosts, other schemes, long addresses and fragments are refused", async () => {
  for (const uri of [
    "https://ѕhop.example/return",
    "https://xn--hop-ehd.example/return",
    "https://XN--HOP-EHD.example/return",
    "https://xn--.example/",
    "https://a.xn--hop-ehd.example/",
    "https://shор.example/return",
    "https://ｓhop.example/return",
    "https://shop.exampӏe/return",
    "https://ſhop.example/return",
    "https://shop.еxample/return",
    "https://faß.example/",
    "https://s\u0301hop.example/return",
    "HTTPS://shop.example/return",
    "Https://shop.example/return",
    "httpS://shop.example/return",
    "HTTP://localhost/",
    "http://shop.example/return",
    "http://open.example/",
    "http://203.0.113.7/",
    "http://127.0.0.1.open.example/",
    "http://localhost.open.example/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data",
    "javascript:alert(1)",
    "javascript://shop.example/return%0aalert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "data://shop.example/return",
    "vbscript:msgbox(1)",
    "blob:https://shop.example/return",
    "filesystem:https://shop.example/return",
    "file:///return",
    "file://shop.example/return",
    "ftp://shop.example/return",
    "ws://shop.example/return",
    "wss://shop.example/return",
    "about:blank",
    "view-source:https://shop.example/return",
    "intent://shop.example/return#Intent;scheme=https;end",
    "shop://return",
    "https+x://shop.example/return",
    "httpss://shop.example/return",
    "://shop.example/return",
    "https://shop.example/return#",
    "https://shop.example/return#x",
    "https://shop.example/return?a=b#/../evil",
    "https://open.example#@evil.example/",
    "https://evil.example#.open.example/",
  ]) {
    await assertAddressRefused(uri, "invalid");
  }
  const ofLength = (start: string, length: number) => start + "a".repeat(length - start.length);
  const start = "https://open.example/";
  for (const uri of [
    ofLength(start, 2_049),
    ofLength(`${start}?`, 2_049),
    // one byte more once it is written anew
    ofLength("https://open.example?", 2_048),
    `https://${"a".repeat(3_000)}.example/`,
    ofLength(start, 100_000),
  ]) {
    await assertAddressRefused(uri, "too_long");
  }
  await assertNothingDone(me);
  await assertAddressTaken(ofLength(start, 2_048), ofLength(start, 2_048));
});

/** Pages to which nobody may be sent, as a broken or hostile Omise would name them. */
const hostilePages = () => [
  "https://evil.example/register",
  `${omiseUrl}.evil.example/register`,
  `${omiseUrl}@evil.example/register`,
  `${omiseUrl}:@evil.example/register`,
  `${omiseUrl}\\@evil.example/register`,
  `${omiseUrl}0/register`,
  `${omiseUrl}%2fregister`,
  `${omiseUrl};/register`,
  `${omiseUrl}/a\\b`,
  `${omiseUrl}/a b`,
  `${omiseUrl}/\t//evil.example`,
  `${omiseUrl}/\r\nSet-Cookie: a=b`,
  `${omiseUrl}/\0`,
  `${omiseUrl}/ก`,
  `\t${omiseUrl}/register`,
  ` ${omiseUrl}/register`,
  `evil.example/${omiseUrl}`,
  omiseUrl.toUpperCase(),
  omiseUrl.replace("http:", "https:"),
  omiseUrl.replace("http:", ""),
  omiseUrl.replace("127.0.0.1", "localhost"),
  omiseUrl.replace("127.0.0.1", "127.1"),
  omiseUrl.replace(/:\d+$/, ""),
  "javascript:alert(document.domain)",
  `javascript:"${omiseUrl}/"`,
  "JAVASCRIPT:alert(1)",
  "java\nscript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "vbscript:x",
  `blob:${omiseUrl}/x`,
  "//evil.example/",
  "/register",
  "register",
  "#",
  "",
];

/** No registration page is in what was answered or written down, and nothing of it in the log. */
async function assertNoPageIn(who: Customer, ...answers: Answer[]): Promise<void> {
  const results = await db.of<{ account: string }>(who.claims.sub, "SELECT account FROM links");
  const texts = [
    ...answers.map(({ body }) => JSON.stringify(body)),
    ...results.map((row) => row.account),
    ...lines,
  ];
  for (const text of texts) assert.doesNotMatch(text, /"registration_uri":"|evil\.example|script:|alert\(/);
}

test("C17: a registration page that is not on the list is shown to no customer", async () => {
  for (const page of hostilePages()) {
    const who = stranger();
    const hostile = account({ registration_uri: page });
    omise.answer = answering(200, hostile);
    const created = await who.create();
    assertError(created, 502, "upstream_unreadable");
    // Omise has made it: its owner sees it, and can unlink it
    const read = await who.get(String(hostile.id));
    assert.deepEqual([read.status, read.body.registration_uri], [200, null], page);
    const again = await who.create();
    assertError(again, 409, "already_pending");
    assert.equal(again.body.linked_account.registration_uri, null);
    const listed = await who.fetch("GET", "/linked_accounts");
    omise.answer = answering(200, { ...hostile, status: "deleted" });
    const deleted = await who.delete(String(hostile.id));
    assert.deepEqual([deleted.status, deleted.body.registration_uri], [200, null], page);
    await assertNoPageIn(who, created, read, again, listed, deleted);
  }
  await assertLogKeepsSecrets();
});

test("C17: nor to an operator, and none is stored from a webhook or an adopted account", async () => {
  const operator = stranger(OPERATE);
  const pages = hostilePages();
  const rows = pages.map((registration_uri) => account({ registration_uri }));
  const nulls = pages.map(() => null);
  const shown = ({ body }: Answer) => body.data.map((row: Record<string, unknown>) => row.registration_uri);

  omise.answer = answering(200, listOf(rows, { limit: 100 }));
  const list = await operator.fetch("GET", "/linked_accounts?limit=100");
  assert.deepEqual(shown(list), nulls);
  omise.answer = answering(200, searchOf(rows, { per_page: 100 }));
  const search = await operator.fetch("GET", "/linked_accounts/search?per_page=100");
  assert.deepEqual(shown(search), nulls);
  omise.answer = answering(200, rows[0]);
  const read = await operator.get(String(rows[0]?.id));
  assert.equal(read.body.registration_uri, null);
  await assertNoPageIn(operator, list, search, read);

  const [mine] = await seedLinks(worker, [
    { owner: String(me.claims.sub), account: { registration_uri: null, created_at: "2020-01-01T00:00:00Z" } },
  ]);
  const hostile = { ...mine, confirmed_at: undefined, status: "failed", registration_uri: pages[0] };
  omise.answer = answering(200, hostile);
  assert.equal((await webhook(hostile)).body.outcome, "updated");
  await assertNoPageIn(me);

  // its answer is lost, and it is found again by its stamp
  const who = stranger();
  omise.answer = answering(500, {});
  const idempotencyKey = randomUUID();
  assertError(await who.create({}, idempotencyKey), 502, "outcome_unknown");
  const orphan = account({ registration_uri: pages[0], metadata: metadataOf(sent()) });
  const answer =
    (alone: FakeOmise["answer"]): FakeOmise["answer"] =>
    (request, response, body) =>
      (request.url?.includes("?") ? answering(200, listOf([orphan])) : alone)(request, response, body);
  // as it was found, since no reading of its own replaces that
  omise.answer = answer(answering(404, { object: "error", code: "not_found" }));
  await who.create({}, idempotencyKey);
  const found = await who.fetch("GET", "/linked_accounts");
  assert.deepEqual([found.body.data[0].id, found.body.data[0].registration_uri], [orphan.id, null]);
  await assertNoPageIn(who, found);
  omise.answer = answer(answering(200, orphan));
  const adopted = await who.create({}, idempotencyKey);
  assert.deepEqual([adopted.status, adopted.body.id, adopted.body.registration_uri], [200, orphan.id, null]);
  await assertNoPageIn(who, adopted);
});

/** Delivers an event about an account, as Omise would. */
async function webhook(data: Record<string, unknown>): Promise<Answer> {
  // which customer's it is, the stamp says
  const object = objectName(String(me.claims.sub));
  const metadata = { [STAMP]: sealStamp(secrets.LEDGER_KEY, { object, attempt: "A".repeat(22) }) };
  const body = JSON.stringify(eventOf({ ...data, metadata }, { created_at: data.created_at }));
  return deliver(worker.url, secrets.WEBHOOK_SECRET, body);
}

test("C17: pages that are on the list are shown as they are", async () => {
  for (const page of ["", "/register?ref=1&a=%20#x", "?ref=1", "#x", "/", "//x", "/:@!$'()*+,;="]) {
    omise.answer = answering(200, account({ registration_uri: omiseUrl + page }));
    const answer = await stranger().create();
    assert.deepEqual([answer.status, answer.body.registration_uri], [200, omiseUrl + page]);
  }
});

test("C17: with a live key no page is on the list but over https", async () => {
  const live = await startWorker({
    omiseUrl: "https://api.omise.co",
    storefrontUrl: "https://shop.example",
    secrets: { ...secrets, OMISE_SECRET_KEY: secrets.OMISE_SECRET_KEY.replace("_test", "") },
    bindings: { MODE: "live", REGISTRATION_ORIGINS: "https://bank.example,http://127.0.0.1:1" },
    log: (line) => lines.push(line),
  });
  try {
    const who = new Customer(live.url, { ...sessionOf(live, secrets), iss: "https://shop.example" });
    const ready = await who.fetch("GET", "/ready");
    assertError(ready, 503, "misconfigured");
    assert.deepEqual(issuesOf(ready), ["REGISTRATION_ORIGINS invalid"]);
    assertError(await who.create(), 503, "misconfigured");
  } finally {
    await live.dispose();
  }
  await assertLogKeepsSecrets();
});

/** An id that Omise knows. */
const ID = "lnac_test_5zylnmmt2kl9chq3ip1";

/** What stands for an id in a path and is none. */
const NO_IDS = [
  `${ID}%2f..`,
  `${ID}%2F..%2F..%2Fcharges`,
  `${ID}%2fx`,
  `${ID}%5c..`,
  `${ID}%3Fexpand=true`,
  `${ID}%23`,
  `${ID}%26a=b`,
  `${ID}%00`,
  `${ID}%20`,
  `${ID}%09`,
  `${ID}%0a`,
  `${ID}%0d%0aX-Evil:%201`,
  `${ID}+`,
  `${ID};x`,
  `${ID}:`,
  `${ID}@evil.example`,
  `${ID}.json`,
  `${ID},${ID}`,
  `${ID}'--`,
  `${ID}%27%20OR%201=1--`,
  `${ID}-`,
  `${ID}_`,
  `%20${ID}`,
  `.${ID}`,
  "..%2f",
  "..%2fcustomers",
  "..%2f..%2fcustomers",
  "%2e%2e%2fcustomers",
  "%2e%2e%2f%2e%2e%2fcustomers",
  "..%5ccustomers",
  "%252e%252e",
  "%252e%252e%252fcustomers",
  "...",
  "....",
  "..;",
  "%00",
  "%20",
  "%",
  "%zz",
  "%c0%ae%c0%ae",
  "%EF%BC%8E%EF%BC%8E",
  "．．",
  "lnac_test_٣",
  "lnac_test_%D9%A3",
  "lnac_test_３",
  "lnac_test_%EF%BC%93",
  "lnac_test_²",
  "lnac_test_ก",
  "lnaс_test_1",
  "lnac_%74est_1",
  "%6cnac_test_1",
  "LNAC_TEST_1",
  "lnac_test_A",
  "lnac_test_",
  "lnac_",
  "lnac",
  "lnac__1",
  "lnac_test__1",
  "lnac_test_test_1",
  "lnac-test-1",
  "xlnac_test_1",
  "acct_test_1",
  "cust_test_1",
  "chrg_test_1",
  "customers",
  "accounts",
  "*",
  "{id}",
  ":id",
  "0",
  "-1",
  "null",
  "undefined",
  "__proto__",
  "Search",
  // workerd takes encoded dots and a backslash as they are; where something before it resolves them they lead elsewhere
  "%2e%2e",
  "%2E.",
  ".%2e",
  "%2e",
  "..\\customers",
  "search%2f",
  "confirm%00",
  `lnac_test_${"1".repeat(55)}`,
  `lnac_test_${"1".repeat(10_240)}`,
  "a".repeat(10_240),
];

/** Targets that lead elsewhere before the Worker sees them, or to nothing. */
const ELSEWHERE = [
  "/linked_accounts/..",
  "/linked_accounts/.",
  "/linked_accounts/../customers",
  "/linked_accounts/%2e%2e/customers",
  "/linked_accounts/..;/customers",
  `/linked_accounts/${ID}/..`,
  `/linked_accounts/${ID}/.`,
  `/linked_accounts/${ID}/%2e%2e/%2e%2e/customers`,
  `/linked_accounts/${ID}/../../charges`,
  `/linked_accounts/${ID}/`,
  `/linked_accounts/${ID}//`,
  `/linked_accounts//${ID}`,
  `/linked_accounts/${ID}/refunds`,
  "/linked_accounts/",
  "/linked_accounts/?",
  "/linked_accounts/?id=x",
  "/linked_accounts/#x",
];

test("C18: what is not an id is unknown, and nobody asks Omise for it", async () => {
  const operator = stranger(OPERATE);
  const unknown = await me.get(ID);
  assertError(unknown, 404, "not_found");
  for (const id of NO_IDS) {
    for (const [who, method] of [
      [operator, "GET"],
      [operator, "DELETE"],
      [me, "GET"],
    ] as const) {
      const answer = await send(who, method, `/linked_accounts/${id}`);
      assert.deepEqual(seen(answer), seen(unknown), `${method} ${id.slice(0, 80)}`);
      assertError(answer, 404, "not_found");
    }
  }
  for (const target of ELSEWHERE) {
    for (const method of ["GET", "DELETE"]) {
      assertError(await send(operator, method, target), 404, "route_not_found");
    }
  }
  await assertNothingDone(operator);
  // and no stranger's text is in the audit
  const named = "SELECT link FROM audit WHERE actor = ? AND link IS NOT NULL";
  assert.deepEqual(await db.all(named, operator.claims.sub), []);
});

test("C18: an id with something after it asks Omise for the id alone", async () => {
  const operator = stranger(OPERATE);
  for (const more of ["", "?", "?x=1", "?/../../customers", "?%0d%0aX-Evil:%201", "#", "#x", "?a#b"]) {
    omise.requests.length = 0;
    // afresh: Omise is asked once in a while for an account that the ledger knows, and always for one that it does not
    const answer = await send(operator, "GET", `/linked_accounts/${ID}${more}`);
    assert.deepEqual([answer.status, answer.body.id], [200, ID], more);
    assert.deepEqual(
      omise.requests.map(({ method, path }) => `${method} ${path}`),
      [`GET /linked_accounts/${ID}`],
    );
  }
});

test("C18: a NUL in the address ends in the runtime", async () => {
  const target = `/linked_accounts/${ID}\0`;
  assertOfTheRuntime(await exchange([`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`], "GET"));
  assert.deepEqual(omise.requests, []);
});

/** Every path with the methods that it has. */
const PATHS = {
  "/linked_accounts": "GET, POST, OPTIONS",
  [`/linked_accounts/${ID}`]: "GET, DELETE, OPTIONS",
  "/linked_accounts/search": "GET, OPTIONS",
  "/linked_accounts/confirm": "POST, OPTIONS",
  "/banks": "GET, OPTIONS",
  "/webhooks/omise": "POST, OPTIONS",
  "/audit": "GET, OPTIONS",
  "/health": "GET, OPTIONS",
  "/ready": "GET, OPTIONS",
  "/openapi.json": "GET, OPTIONS",
};

test("C19: a method that a path does not have is 405, and Allow tells which it has", async () => {
  const methods = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "TRACE",
    "PURGE",
    "PROPFIND",
    "LOCK",
    "SEARCH",
    "COPY",
  ];
  const operator = stranger(OPERATE);
  for (const [path, allow] of Object.entries(PATHS)) {
    for (const method of methods.filter((name) => !allow.split(", ").includes(name))) {
      const answer = await send(operator, method, path, ["Content-Length: 0"]);
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.headers.get("Allow"), allow);
      // an answer to HEAD has no body to tell more
      if (method === "HEAD") assertStandardHeaders(answer);
      else assertError(answer, 405, "method_not_allowed");
    }
  }
  await assertNothingDone(operator);
});

test("C19: verbs that HTTP does not know, and tunnels, end in the runtime", async () => {
  for (const method of ["FOO", "get", "Delete", "G ET", "CONNECT"]) {
    const head = `${method} /linked_accounts/${ID} HTTP/1.1\r\nHost: ${new URL(worker.url).host}\r\n\r\n`;
    assertOfTheRuntime(await exchange([head], method));
  }
  await assertNothingDone(me);
});

test("C19: headers, queries and bodies that name another method or path change nothing", async () => {
  const [mine] = await seedLinks(worker, [{ owner: String(me.claims.sub) }]);
  const path = `/linked_accounts/${mine?.id}`;
  const overrides = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Method", "_method"];
  for (const name of overrides) {
    const read = await send(me, "GET", path, [`${name}: DELETE`]);
    assert.deepEqual([read.status, read.body.status], [200, "pending"], name);
    const posted = await send(me, "POST", path, [`${name}: DELETE`, "Content-Length: 0"]);
    assertError(posted, 405, "method_not_allowed");
    // or a page without a token could have its preflight spared
    assertError(
      await send(me, "POST", "/health", [`${name}: GET`, "Content-Length: 0"]),
      405,
      "method_not_allowed",
    );
  }
  for (const query of ["?_method=DELETE", "?method=DELETE", "?X-HTTP-Method-Override=DELETE"]) {
    assert.equal((await send(me, "GET", path + query)).body.status, "pending");
    const form = "_method=DELETE";
    const fields = ["Content-Type: application/x-www-form-urlencoded", lengthOf(form)];
    assertError(await send(me, "POST", path + query, fields, form), 405, "method_not_allowed");
  }
  for (const name of [
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Forwarded-Uri",
    "X-Forwarded-Prefix",
    "X-Original-Method",
  ]) {
    const answer = await send(me, "GET", "/health", [`${name}: /linked_accounts`]);
    assert.equal(answer.body.object, "health");
  }
  assert.ok(omise.requests.every(({ method }) => method === "GET"));
  const row = await db.first("SELECT status FROM links WHERE id = ?", mine?.id);
  assert.deepEqual(row, { status: "pending" });
});

test("C19: a path has one form", async () => {
  const operator = stranger(OPERATE);
  const variants = (path: string) => [
    `${path}/`,
    `${path}//`,
    `/${path}`,
    `//${path}`,
    path.toUpperCase(),
    path.replace(/[a-z]/, (letter) => letter.toUpperCase()),
    path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
    `${path}%2f`,
    `${path}%20`,
    `${path}%00`,
    `${path};a=b`,
    `${path}:`,
    `/%2f${path.slice(1)}`,
    `/v1${path}`,
    `/x${path}`,
    `${path}/x`,
  ];
  for (const path of Object.keys(PATHS)) {
    for (const variant of variants(path)) {
      for (const method of ["GET", "POST", "DELETE"]) {
        const answer = await send(operator, method, variant, ["Content-Length: 0"]);
        // one more segment than /linked_accounts is an id, and no id is like this
        const asId = /^\/linked_accounts\/[^/]+$/.test(variant) && variant !== "/linked_accounts/x";
        if (asId && method === "POST") assertError(answer, 405, "method_not_allowed");
        else if (asId || variant === "/linked_accounts/x")
          assert.match(answer.body.reason, /not_found|not_allowed/);
        else assertError(answer, 404, "route_not_found");
        assert.ok([404, 405].includes(answer.status), `${method} ${variant}`);
      }
    }
  }
  await assertNothingDone(operator);
});

/** What a caller may try to have passed on, with the Worker's own headers among them. */
const SMUGGLED = [
  "Omise-Version: 2014-07-27",
  "X-Request-Id: 00000000000000000000000000000000",
  "User-Agent: evil",
  "Accept: text/html",
  "Accept-Language: th",
  "Cookie: session=evil",
  "Origin: https://evil.example",
  "Referer: https://evil.example/",
  "X-Forwarded-For: 203.0.113.9",
  "X-Forwarded-Host: evil.example",
  "X-Forwarded-Proto: http",
  "X-Forwarded-Port: 1",
  "Forwarded: for=203.0.113.9;host=evil.example",
  "X-Real-IP: 203.0.113.9",
  "True-Client-IP: 203.0.113.9",
  "CF-Connecting-IP: 203.0.113.9",
  "Via: 1.1 evil",
  "Max-Forwards: 0",
  "X-Host: evil.example",
  "X-Original-Host: evil.example",
  "Proxy-Authorization: Basic ZXZpbDo=",
  "X-Authorization: Basic ZXZpbDo=",
  "Traceparent: 00-00000000000000000000000000000001-0000000000000001-01",
  "X-Api-Key: evil",
  "Omise-Account: evil",
  "Range: bytes=0-1",
  "If-None-Match: *",
  "If-Modified-Since: Wed, 21 Oct 2015 07:28:00 GMT",
  "Cache-Control: only-if-cached",
  "Pragma: evil",
  "Prefer: return=minimal",
  "Keep-Alive: timeout=1",
  "TE: trailers",
  "Proxy-Connection: keep-alive",
  "Connection: Authorization, Omise-Version, X-Request-Id",
  "X-Evil: evil",
];

/** The headers that a request to Omise has: the Worker's list, and what workerd adds to any request. */
function upstreamHeaders(
  answer: Answer,
  more: Record<string, string | undefined> = {},
): Record<string, unknown> {
  return {
    accept: "application/json",
    authorization: `Basic ${Buffer.from(`${secrets.OMISE_SECRET_KEY}:`).toString("base64")}`,
    "omise-version": "2019-05-29",
    "user-agent": "omise-linked-accounts/0.1.0",
    "x-request-id": answer.headers.get("X-Request-Id"),
    host: new URL(omiseUrl).host,
    "cache-control": "no-cache",
    pragma: "no-cache",
    "cf-worker": "worker.example.com",
    ...more,
  };
}

test("C20: what is sent to Omise has a fixed list of headers, whatever the caller's", async () => {
  const body = good(`,"citizen_id":"${CITIZEN_ID}"`);
  const mine = randomUUID();
  const fields = [JSON_TYPE, `Idempotency-Key: ${mine}`, lengthOf(body), ...SMUGGLED];
  const created = await send(me, "POST", "/linked_accounts", fields, body);
  assert.equal(created.status, 200, JSON.stringify(created.body));
  const stamp = sent().get("metadata[linked_accounts_stamp]") ?? undefined;
  assert.notEqual(stamp, mine);
  const [request] = omise.requests;
  assert.deepEqual(
    request?.headers,
    upstreamHeaders(created, {
      "content-type": "application/x-www-form-urlencoded",
      "content-length": String(request?.body.length),
      "idempotency-key": stamp && openStamp(secrets.LEDGER_KEY, stamp)?.attempt,
    }),
  );

  const operator = stranger(OPERATE);
  omise.requests.length = 0;
  for (const [method, target] of [
    ["GET", `/linked_accounts/${ID}`],
    ["DELETE", `/linked_accounts/${ID}`],
  ] as const) {
    const answer = await send(operator, method, target, SMUGGLED);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const last = omise.requests.at(-1);
    const length = last?.headers["content-length"];
    assert.ok(length === undefined || length === "0");
    const { "content-length": _, ...headers } = last?.headers ?? {};
    assert.deepEqual(headers, upstreamHeaders(answer));
  }
  await assertLogKeepsSecrets();
});

test("C20: nothing of the caller's comes back in the answer's headers", async () => {
  const plain = await send(me, "GET", "/health");
  for (const target of ["/health", "/health?%0d%0aX-Evil:%20evil", "/health?\u560a\u560dX-Evil:evil"]) {
    const answer = await send(me, "GET", target, SMUGGLED);
    assertStandardHeaders(answer);
    assert.deepEqual([...answer.headers.keys()].sort(), [...plain.headers.keys()].sort());
    assert.ok(![...answer.headers.values()].join("\n").includes("evil"));
    assert.doesNotMatch(answer.headers.get("X-Request-Id") ?? "", /^0+$/);
  }
  assert.ok(!lines.join("\n").includes("evil"));
});

test("C20: line breaks, separators and brackets in fields stay within their field", async () => {
  const hostile = [
    "a\r\nX-Evil: 1",
    "a\nX-Evil: 1",
    "\r\n\r\nDELETE /linked_accounts HTTP/1.1",
    "a&return_uri=https://evil.example/",
    "a&metadata[linked_accounts_stamp]=x",
    "=a==&&;b",
    "%0d%0aX-Evil:%201",
    "%26type=x",
    "a+b c",
    "\0\x1b[31m",
    "ก\u2028\ud83d\ude00",
    "'\"<>\\",
  ];
  const metadata = Object.fromEntries([
    ...hostile.map((text, i) => [`v${i}`, text]),
    // in a name they would nest
    ...hostile.map((text) => [text.replace(/[[\]]/g, ""), "x"]),
  ]);
  const answer = await me.create({ metadata });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const form = [...sent()].filter(([name]) => name !== "metadata[linked_accounts_stamp]");
  assert.deepEqual(
    form.slice(2),
    Object.entries(metadata).map(([name, value]) => [`metadata[${name}]`, value]),
  );
  assert.deepEqual(
    form.slice(0, 2).map(([name]) => name),
    ["type", "return_uri"],
  );
  assert.equal(sentReturnUri(), `${STOREFRONT}/return`);
  assert.equal(omise.requests.length, 1);
  assert.equal(omise.requests[0]?.headers["x-evil"], undefined);
  assert.match(omise.requests[0]?.body ?? "", /^[\w.*+%=&-]+$/);
  assert.deepEqual(answer.body.metadata, metadata);

  omise.requests.length = 0;
  omise.answer = answering(200, searchOf([]));
  const operator = stranger(OPERATE);
  for (const text of hostile) {
    const found = await operator.fetch("GET", `/linked_accounts/search?query=${encodeURIComponent(text)}`);
    assert.equal(found.status, 200, JSON.stringify(found.body));
    const { path = "", headers } = omise.requests.at(-1) ?? {};
    assert.equal(new URL(path, omiseUrl).searchParams.get("query"), text);
    assert.deepEqual(headers, upstreamHeaders(found));
  }
  for (const line of lines.filter((line) => line.startsWith("{")))
    assert.doesNotThrow(() => JSON.parse(line), line);
});

test("C20: an Idempotency-Key is one header of visible ASCII", async () => {
  const body = good();
  for (const fields of [
    ["Idempotency-Key: a", "Idempotency-Key: b"],
    ["Idempotency-Key: a", "idempotency-key: a"],
    ["Idempotency-Key: a b"],
    ["Idempotency-Key: a\tb"],
    ["Idempotency-Key: a\r\n b"],
    ["Idempotency-Key:"],
    ["Idempotency-Key: ก"],
    [`Idempotency-Key: ${"k".repeat(256)}`],
    ["Idempotency_Key: a"],
    [],
  ]) {
    const answer = await send(me, "POST", "/linked_accounts", [JSON_TYPE, lengthOf(body), ...fields], body);
    assertError(answer, 400, "idempotency_key_invalid");
  }
  await assertNothingDone(me);
});

test("C20: what cannot be read as one request ends in the runtime", async () => {
  const authorization = `Authorization: Bearer ${token(me.session, me.claims)}`;
  const host = `Host: ${new URL(worker.url).host}`;
  const body = good();
  for (const fields of [
    [host, "Host: evil.example", lengthOf(body)],
    ["Host: a b\\@c", lengthOf(body)],
    [lengthOf(body)],
    [host, lengthOf(body), "X-Evil: a\0b"],
    [host, lengthOf(body), "Content-Length: 3"],
    [host, "Content-Length: +5"],
    [host, "Content-Length: 0x10"],
    [host, "Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    [host, "Transfer-Encoding: gzip, chunked"],
    [host, "Transfer-Encoding: xchunked"],
  ]) {
    const head = ["POST /linked_accounts HTTP/1.1", ...fields, authorization, JSON_TYPE, key()];
    assertOfTheRuntime(await exchange([`${head.join("\r\n")}\r\n\r\n`, body], "POST"));
  }
  await assertNothingDone(me);
});

/** A chunk of a body whose length nobody says. */
const chunk = (body: string | Uint8Array) =>
  Buffer.concat([
    Buffer.from(`${Buffer.byteLength(body).toString(16)}\r\n`),
    Buffer.from(body),
    Buffer.from("\r\n"),
  ]);
const CHUNKED = "Transfer-Encoding: chunked";
const END = "0\r\n\r\n";

test("C21: a body is refused as soon as it is known to be too long", async () => {
  const limit = 256 * 1024;
  for (const path of ["/linked_accounts", "/linked_accounts/confirm"]) {
    const upload = (fields: string[], ...parts: (string | Uint8Array)[]) =>
      send(me, "POST", path, [JSON_TYPE, key(), ...fields], ...parts);
    const much = Buffer.alloc(limit + 1, " ");
    // by what it says of itself: not a byte of it has to come
    for (const length of [limit + 1, 1024 * 1024, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53]) {
      assertError(await upload([`Content-Length: ${length}`]), 413, "body_too_large");
    }
    // by what has come, though there is no end
    assertError(await upload([CHUNKED], chunk(much)), 413, "body_too_large");
    assertError(await upload([CHUNKED], `${(2 ** 40).toString(16)}\r\n`, much), 413, "body_too_large");
    const small = Array.from({ length: 32 }, () => chunk(Buffer.alloc(8 * 1024, " ")));
    assertError(await upload([CHUNKED], ...small, chunk(" ")), 413, "body_too_large");
    // read, and then judged by what it says
    const longest = Buffer.alloc(limit, " ");
    assertError(await upload([lengthOf(longest)], longest), 400, "malformed_json");
    assertError(await upload([CHUNKED], chunk(longest), END), 400, "malformed_json");
  }
  await assertNothingDone(me);
});

test("C21: a body that is empty, cut short or compressed is not JSON", async () => {
  const upload = (fields: string[], ...parts: (string | Uint8Array)[]) =>
    send(me, "POST", "/linked_accounts", [JSON_TYPE, key(), ...fields], ...parts);
  const body = good();
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  assert.ok(bomb.length < 256 * 1024);
  for (const parts of [
    [["Content-Length: 0"]],
    [[]],
    [[CHUNKED], END],
    [["Content-Length: 1"], " "],
    [[CHUNKED], "zz\r\n", body, "\r\n", END],
    [[CHUNKED], "-5\r\n", body, END],
    [[CHUNKED], "fffffffffffffffff\r\n", body, END],
    ...["gzip", "x-gzip", "deflate", "br", "identity, gzip"].map((encoding) => [
      [`Content-Encoding: ${encoding}`, lengthOf(bomb)],
      bomb,
    ]),
    [["Content-Encoding: gzip", lengthOf(gzipSync(body))], gzipSync(body)],
    [[lengthOf(gzipSync(body))], gzipSync(body)],
  ] as [string[], ...(string | Uint8Array)[]][]) {
    assertError(await upload(...parts), 400, "malformed_json");
  }
  await assertNothingDone(me);
});

test("C21: a body whose sender hangs up is never acted on, though it were whole JSON", async () => {
  const body = good();
  const authorization = `Authorization: Bearer ${token(me.session, me.claims)}`;
  const host = `Host: ${new URL(worker.url).host}`;
  for (const [length, part] of [
    [`Content-Length: ${body.length + 1}`, body],
    [CHUNKED, chunk(body)],
  ] as const) {
    const head = ["POST /linked_accounts HTTP/1.1", host, authorization, JSON_TYPE, key(), length];
    const answer = await exchange([`${head.join("\r\n")}\r\n\r\n`, part], "POST", "hang up");
    assert.deepEqual([answer.status, JSON.parse(answer.text).reason], [400, "malformed_json"]);
  }
  await assertNothingDone(me);
});

test("C21: JSON is application/json in UTF-8, without a mark", async () => {
  for (const type of [
    "application/json; charset=utf-16",
    "application/json; charset=utf-16le",
    "application/json; charset=utf-7",
    "application/json; charset=iso-8859-1",
    "application/json; charset=windows-874",
    "application/json; charset=us-ascii",
    "application/json; charset=utf8",
    "application/json; charset=",
    "application/json; charset=utf-8; charset=utf-16",
    "application/json; charset=utf-8, text/plain",
    "application/json; charset='utf-8'",
    "application/json; boundary=x",
    "application/json, application/json",
    "application/json,text/plain",
    "application/json text/plain",
    "application/json5",
    "application/jsonp",
    "application/json-patch+json",
    "application/problem+json",
    "application/x-json",
    "text/json",
    "text/plain; application/json",
    "text/plain",
    "text/html",
    "application/octet-stream",
    "application",
    "*/*",
    "",
  ]) {
    const answer = await post(me, good(), `Content-Type: ${type}`);
    assert.equal(answer.status, 415, type);
    assertError(answer, 415, "unsupported_media_type");
  }
  const twice = `${JSON_TYPE}\r\nContent-Type: text/plain`;
  assertError(await post(me, good(), twice), 415, "unsupported_media_type");
  assertError(await post(me, good(), "X-Content-Type: application/json"), 415, "unsupported_media_type");

  const utf16 = Buffer.from(good(), "utf16le");
  const named = (name: Buffer) =>
    Buffer.concat([Buffer.from('{"metadata":{"a":"'), name, Buffer.from('"}}')]);
  for (const body of [
    Buffer.from(`\ufeff${good()}`),
    utf16,
    Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]),
    Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(utf16).swap16()]),
    Buffer.from([0x2b, 0x2f, 0x76, 0x38, 0x2d]),
    // bytes that are no UTF-8: alone, overlong, a surrogate, beyond Unicode, cut short
    named(Buffer.from([0xff])),
    named(Buffer.from([0xa1, 0xa2])),
    named(Buffer.from([0xc0, 0xaf])),
    named(Buffer.from([0xe0, 0x80, 0xaf])),
    named(Buffer.from([0xed, 0xa0, 0x80])),
    named(Buffer.from([0xf4, 0x90, 0x80, 0x80])),
    named(Buffer.from([0xe0, 0xb8])),
    Buffer.concat([Buffer.from(good()), Buffer.from([0xff])]),
  ]) {
    assertError(await post(me, body), 400, "malformed_json");
  }
  await assertNothingDone(me);
  for (const type of [
    "Application/JSON",
    "application/json;charset=UTF-8",
    'application/json ; charset="utf-8"',
  ]) {
    assert.equal((await post(stranger(), good(), `Content-Type: ${type}`)).status, 200, type);
  }
});

test("C22: what is nearly JSON, or too deep, is not read", async () => {
  const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
  for (const body of [
    "[".repeat(10_000),
    '{"a":'.repeat(10_000),
    nested("[", "]", 10_000),
    nested("[", "]", 200),
    `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
    good(`,"metadata":{"a":${nested("[", "]", 10_000)}}`),
    good(`,"metadata":${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`),
    good(`,"x":${nested("[[{},", "]]", 5_000)}`),
    `${'[{"":'.repeat(20_000)}`,
    ...[
      "NaN",
      "-NaN",
      "Infinity",
      "-Infinity",
      "undefined",
      "1e400",
      "-1e999",
      "01",
      "+1",
      "1.",
      ".5",
      "0x10",
      "1_0",
    ].map((number) => good(`,"metadata":{"n":${number}}`)),
    ...[
      "\\ud800",
      "\\udc00",
      "\\ud800x",
      "\\udc00\\ud800",
      "\\ud800\\ud800",
      "\\u12",
      "\\x41",
      "\\",
      "\n",
      "\0",
    ].flatMap((text) => [
      good(`,"metadata":{"a":"${text}"}`),
      good(`,"metadata":{"${text}":1}`),
      good(`,"${text}":1`),
    ]),
    good().slice(0, -1),
    `${good()}${good()}`,
    `${good()},`,
    `${good()}\0`,
    good(","),
    good(",{}"),
    `//\n${good()}`,
    `/**/${good()}`,
    `while(1);${good()}`,
    `)]}'\n${good()}`,
    good().replaceAll('"', "'"),
    "{type:1}",
    "TRUE",
  ]) {
    const answer = await post(me, body);
    assert.equal(answer.body.reason, "malformed_json", `${body.slice(0, 60)} … ${body.slice(-60)}`);
    assertError(answer, 400, "malformed_json");
  }
  await assertNothingDone(me);
  assert.equal((await post(me, good())).status, 200, "and the next is served");
  assert.ok(!lines.join("\n").includes("panicked"));
});

test("C22: what is there twice is refused, however it is written", async () => {
  const uri = `"return_uri":"${STOREFRONT}/return"`;
  for (const [body, issues] of [
    [good(',"type":"direct_debit_scb"'), ["type duplicate"]],
    [good(',"type":"direct_debit_kbank"'), ["type duplicate"]],
    [good(',"\\u0074ype":"direct_debit_scb"'), ["type duplicate"]],
    [good(',"type":null'), ["type duplicate"]],
    [good(`,${uri}`), ["return_uri duplicate"]],
    [good(',"return_uri":"https://evil.example/","return_uri":null'), ["return_uri duplicate"]],
    [good(',"citizen_id":null,"citizen_id":"1101700230708"'), ["citizen_id duplicate"]],
    [good(',"metadata":{},"metadata":{"a":1}'), ["metadata duplicate"]],
    [good(',"replace_pending":false,"replace_pending":true'), ["replace_pending duplicate"]],
    [good(',"metadata":{"a":1,"a":1}'), ["metadata.a duplicate"]],
    [good(',"metadata":{"a":1,"b":2,"\\u0061":3}'), ["metadata.a duplicate"]],
    [good(',"metadata":{"__proto__":1,"__proto__":2}'), ["metadata.__proto__ duplicate"]],
  ] as const) {
    const answer = await post(me, body);
    assert.deepEqual(issuesOf(answer), issues, body);
    assertError(answer, 400, "invalid_request");
  }
  const fields = (body: string) => [JSON_TYPE, lengthOf(body)];
  for (const body of ['{"link_state":"a","link_state":"b"}', '{"link_state":"a","\\u006cink_state":"a"}']) {
    const answer = await send(me, "POST", "/linked_accounts/confirm", fields(body), body);
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), ["link_state duplicate"]);
  }
  await assertNothingDone(me);
});

test("C22: tens of thousands of members get a hundred issues, and more are too long", async () => {
  const members = (count: number, write: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => write(i)).join();
  const strangers = (count: number) => members(count, (i) => `"${i.toString(36)}":0`);
  for (const body of [
    `{${strangers(25_000)}}`,
    `{${members(40_000, () => '"":0')}}`,
    `{${members(30_000, () => '"x":[]')}}`,
    good(`,${strangers(25_000)}`),
    `{"metadata":{${members(30_000, () => '"a":1')}}}`,
    `{"metadata":{${members(30_000, () => '"":{}')}}}`,
  ]) {
    const answer = await post(me, body);
    assertError(answer, 400, "invalid_request");
    assert.equal(answer.body.issues.length, 100);
  }
  const confirm = `{${strangers(25_000)}}`;
  const answer = await send(me, "POST", "/linked_accounts/confirm", [JSON_TYPE, lengthOf(confirm)], confirm);
  assertError(answer, 400, "invalid_request");
  assert.equal(answer.body.issues.length, 100);
  // names that all differ, each compared with those before it: the length of the whole ends that
  const metadata = await post(me, good(`,"metadata":{${strangers(25_000)}}`));
  assertError(metadata, 400, "invalid_request");
  assert.deepEqual(issuesOf(metadata), ["metadata too_long"]);
  const longer = lengthOf(`{${strangers(100_000)}}`);
  assertError(await send(me, "POST", "/linked_accounts", [JSON_TYPE, key(), longer]), 413, "body_too_large");
  await assertNothingDone(me);
});

test("C22: a number that a double would change is refused by name", async () => {
  for (const number of [
    "9007199254740992",
    "9007199254740993",
    "-9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "123456789012345678901234567890",
    `1${"0".repeat(300)}`,
    "1e16",
    "1e308",
    "-1.5e300",
  ]) {
    const answer = await post(me, good(`,"metadata":{"n":${number}}`));
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), ["metadata.n invalid"], number);
  }
  await assertNothingDone(me);
  for (const [number, text] of [
    ["9007199254740991", "9007199254740991"],
    ["-9007199254740991", "-9007199254740991"],
    ["0.1", "0.1"],
    ["-0", "0"],
    ["1.0", "1"],
  ]) {
    assert.equal((await post(stranger(), good(`,"metadata":{"n":${number}}`))).status, 200);
    assert.equal(sent().get("metadata[n]"), text);
  }
});

test("C23: a form is not read, whatever it is called", async () => {
  const returns = `return_uri=${encodeURIComponent(`${STOREFRONT}/return`)}`;
  const forms = [
    `type=direct_debit_kbank&${returns}`,
    `type=direct_debit_kbank&type=direct_debit_scb&${returns}`,
    `type[]=direct_debit_kbank&${returns}`,
    `type=direct_debit_kbank&${returns}&metadata[a][b]=1`,
    `type=direct_debit_kbank&${returns}&metadata[]=1&metadata[__proto__][x]=1`,
    `${good()}=`,
    '{"type":"direct_debit_kbank","x":"&return_uri=x"}',
  ];
  const multipart = `--x\r\nContent-Disposition: form-data; name="type"\r\n\r\ndirect_debit_kbank\r\n--x--\r\n`;
  const types = [
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-8",
    "Application/X-WWW-Form-URLencoded",
    "multipart/form-data; boundary=x",
    "text/plain;charset=UTF-8",
  ];
  for (const target of ["/linked_accounts", `/linked_accounts?${forms[0]}`, "/linked_accounts/confirm"]) {
    for (const type of types) {
      for (const form of [...forms, multipart]) {
        const fields = [`Content-Type: ${type}`, key(), lengthOf(form)];
        assertError(await send(me, "POST", target, fields, form), 415, "unsupported_media_type");
      }
    }
    // and a form that says it is JSON is none
    for (const form of [...forms.slice(0, 6), multipart]) {
      const answer = await send(me, "POST", target, [JSON_TYPE, key(), lengthOf(form)], form);
      assertError(answer, 400, "malformed_json");
    }
  }
  await assertNothingDone(me);
});

test("C23: JSON has none of a form's readings: no brackets, no arrays, no query", async () => {
  for (const [body, issues] of [
    [
      good().replace('"direct_debit_kbank"', '["direct_debit_kbank","direct_debit_scb"]'),
      ["type wrong_type"],
    ],
    [good(',"type[]":"direct_debit_scb"'), ["type[] unknown_field"]],
    [good(',"metadata[a]":"1"'), ["metadata[a] unknown_field"]],
    [good(',"metadata[a][b]":"1"'), ["metadata[a][b] unknown_field"]],
    [good(',"metadata":"a=1"'), ["metadata wrong_type"]],
    [good(',"metadata":[["a","1"]]'), ["metadata wrong_type"]],
    [good(',"metadata":{"a":{"b":"1"}}'), ["metadata.a wrong_type"]],
    [good(',"metadata":{"a":["1","2"]}'), ["metadata.a wrong_type"]],
    // which would be nested in the form that Omise is sent
    [good(',"metadata":{"a][b":"1"}'), ["metadata.a][b invalid"]],
    [good(',"metadata":{"a[]":"1"}'), ["metadata.a[] invalid"]],
    [good(',"metadata":{"[":"1"}'), ["metadata.[ invalid"]],
    [good(',"metadata":{"]&type=x":"1"}'), ["metadata.]&type=x invalid"]],
  ] as const) {
    const answer = await post(me, body);
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), issues, body);
  }
  const target = `/linked_accounts?type=direct_debit_kbank&return_uri=${encodeURIComponent(`${STOREFRONT}/return`)}`;
  const answer = await send(me, "POST", target, [JSON_TYPE, key(), "Content-Length: 2"], "{}");
  assertError(answer, 400, "invalid_request");
  assert.deepEqual(issuesOf(answer), ["type required", "return_uri required"]);
  await assertNothingDone(me);
});

test("C23: a query, the one form that is read, has each of its names once", async () => {
  for (const [target, issues] of [
    ["?limit=1&limit=2", ["limit duplicate"]],
    ["?limit=1&limit=1", ["limit duplicate"]],
    ["?limit=1&%6cimit=2", ["limit duplicate"]],
    ["?limit=1&limit=", ["limit duplicate"]],
    ["?limit[]=1", ["limit[] unknown_field"]],
    ["?filters[status]=pending&filters%5Bstatus%5D=failed", ["filters[status] duplicate"]],
    ["?filters[status][]=pending", ["filters[status][] unknown_field"]],
    ["?filters=pending", ["filters unknown_field"]],
    ["/search?query=a&query=b", ["query duplicate"]],
    ["/search?query[]=a", ["query[] unknown_field"]],
    ["/search?page=1&page=2&x", ["page duplicate", "x unknown_field"]],
  ] as const) {
    for (const who of [me, stranger(OPERATE)]) {
      const answer = await send(who, "GET", `/linked_accounts${target}`);
      assertError(answer, 400, "invalid_request");
      assert.deepEqual(issuesOf(answer), issues, target);
    }
  }
  await assertNothingDone(me);
});

test("C24: names of a prototype's are plain data, all the way", async () => {
  const names = [
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "valueOf",
    "hasOwnProperty",
    "toJSON",
    "then",
  ];
  const values = [
    "x",
    "function(){alert(1)}",
    "<script>alert(1)</script>",
    "' OR 1=1--",
    "{{7*7}}",
    "$where",
    "../../x",
  ];
  const metadata = [
    ...names,
    ...values,
    "LINKED_ACCOUNTS_x",
    "xlinked_accounts_",
    "linked_account",
    "ก",
    " ",
  ].map((name, i): [string, string] => [name, values[i % values.length] ?? ""]);
  const members = metadata.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join();
  const created = await post(me, good(`,"metadata":{${members}}`));
  assert.equal(created.status, 200, JSON.stringify(created.body));
  assert.deepEqual(
    [...sent()].slice(2, -1),
    metadata.map(([name, value]) => [`metadata[${name}]`, value]),
  );
  assert.deepEqual(Object.entries(created.body.metadata), metadata);

  const found = await me.fetch("GET", `/linked_accounts/search?query=${encodeURIComponent("alert(1)}")}`);
  assert.deepEqual(Object.entries(found.body.data[0].metadata), metadata);
  assert.deepEqual((await stranger().fetch("GET", "/linked_accounts/search?query=x")).body.data, []);
});

test("C24: metadata that Omise would not keep is refused by name", async () => {
  for (const [metadata, issues] of [
    ['{"a":null}', ["metadata.a wrong_type"]],
    ['{"a":{}}', ["metadata.a wrong_type"]],
    ['{"a":[]}', ["metadata.a wrong_type"]],
    ['{"a":{"__proto__":{"x":1}}}', ["metadata.a wrong_type"]],
    ['{"__proto__":{"admin":true}}', ["metadata.__proto__ wrong_type"]],
    ['{"__proto__":null}', ["metadata.__proto__ wrong_type"]],
    ['{"constructor":{"prototype":{}}}', ["metadata.constructor wrong_type"]],
    ['{"ok":1,"b":null,"c":[1],"d":true}', ["metadata.b wrong_type", "metadata.c wrong_type"]],
    ['{"":1}', ["metadata. invalid"]],
    ['{"a[b]":1}', ["metadata.a[b] invalid"]],
    // an issue names the field without what it could do to a log or a page of text
    [`{"a\\n\\u001b[31m${"k".repeat(300)}":null}`, [`metadata.a[31m${"k".repeat(86)} invalid`]],
    ["[]", ["metadata wrong_type"]],
    ['"x"', ["metadata wrong_type"]],
    ["true", ["metadata wrong_type"]],
    ["0", ["metadata wrong_type"]],
  ] as const) {
    const answer = await post(me, good(`,"metadata":${metadata}`));
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), issues, metadata);
  }
  await assertNothingDone(me);
});

test("C24: metadata has 15,000 characters, with the Worker's own", async () => {
  // {"k":"…"}, and what the stamp takes
  const room = 15_000 - '{"k":""}'.length - ',"linked_accounts_stamp":""'.length - 102;
  for (const [character, each] of [
    ["a", 1],
    ["ก", 1],
    ["😀", 1],
    ["\\n", 2],
    ['\\"', 2],
    ["\\u0001", 6],
  ] as const) {
    const text = (count: number) =>
      character.repeat(count) + "a".repeat(room - Math.floor(room / each) * each);
    const most = Math.floor(room / each);
    const answer = await post(me, good(`,"metadata":{"k":"${text(most)}a"}`));
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), ["metadata too_long"], character);
    const who = stranger();
    assert.equal((await post(who, good(`,"metadata":{"k":"${text(most)}"}`))).status, 200, character);
    const kept = JSON.stringify(metadataOf(sent()));
    assert.equal([...kept].length, 15_000);
  }
  const names = Array.from({ length: 3_000 }, (_, i) => `"${i}":"x"`).join();
  assert.deepEqual(issuesOf(await post(me, good(`,"metadata":{${names}}`))), ["metadata too_long"]);
  omise.requests.length = 0;
  await assertNothingDone(me);
});

test("C24: names that are the Worker's own can be neither written nor seen", async () => {
  for (const name of [
    "linked_accounts_stamp",
    "linked_accounts_",
    "linked_accounts_x",
    "linked_accounts___proto__",
    "\\u006cinked_accounts_attempt",
    "linked\\u005faccounts\\u005fattempt",
  ]) {
    const answer = await post(me, good(`,"metadata":{"a":1,"${name}":"x"}`));
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), [`metadata.${JSON.parse(`"${name}"`)} reserved`]);
  }
  await assertNothingDone(me);

  const reserved = {
    linked_accounts_: "secret-stamp",
    linked_accounts_new: "secret-stamp",
    order: "7",
  };
  const stamped = account({ registration_uri: `${omiseUrl}/register`, metadata: reserved });
  omise.answer = answering(200, stamped);
  const operator = stranger(OPERATE);
  const id = String(stamped.id);
  const answers = [await me.create(), await me.get(id), await me.create(), await operator.get(id)];
  omise.answer = answering(200, listOf([stamped]));
  answers.push(await operator.fetch("GET", "/linked_accounts"), await me.fetch("GET", "/linked_accounts"));
  omise.answer = answering(200, searchOf([stamped]));
  answers.push(await operator.fetch("GET", "/linked_accounts/search"));
  const words = await me.fetch("GET", "/linked_accounts/search?query=secret-stamp");
  assert.deepEqual(words.body.data, [], "nor found");
  for (const { body } of answers) assert.doesNotMatch(JSON.stringify(body), /linked_accounts_|secret-stamp/);
  assert.deepEqual(answers[0]?.body.metadata, { order: "7" });
});

test("C25: a field that a request does not have is refused by name", async () => {
  const names = [
    ...ATTRIBUTES.filter((name) => !["type", "return_uri", "metadata"].includes(name)),
    "owner",
    "sub",
    "scope",
    "operator",
    "attempt",
    "link_state",
    "idempotency_key",
    "omise_key",
    "customer",
    "customer_id",
    "name",
    "email",
    "capabilities",
    "__proto__",
    "constructor",
    "Type",
    "TYPE",
    "type ",
    "returnUri",
    "return_url",
    "citizenId",
    "replacePending",
    "",
  ];
  for (const name of names) {
    for (const value of ['"successful"', "true", "null", "{}"]) {
      const answer = await post(me, good(`,${JSON.stringify(name)}:${value}`));
      assertError(answer, 400, "invalid_request");
      assert.deepEqual(issuesOf(answer), [`${name} unknown_field`]);
    }
  }
  const all = names.map((name) => `${JSON.stringify(name)}:1`).join();
  assert.deepEqual(
    issuesOf(await post(me, good(`,${all}`))),
    names.map((name) => `${name} unknown_field`),
  );
  for (const value of ['"true"', "1", '"yes"', "[]", "{}"]) {
    const answer = await post(me, good(`,"replace_pending":${value}`));
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), ["replace_pending wrong_type"]);
  }
  for (const body of ["[]", '"x"', "1", "null", "true", `[${good()}]`]) {
    const answer = await post(me, body);
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), [" wrong_type"]);
  }
  const confirm = '{"link_state":"x","confirmed_at":"2030-01-01T00:00:00Z","owner":"x","id":"x"}';
  const answer = await send(me, "POST", "/linked_accounts/confirm", [JSON_TYPE, lengthOf(confirm)], confirm);
  assertError(answer, 400, "invalid_request");
  assert.deepEqual(issuesOf(answer), [
    "confirmed_at unknown_field",
    "owner unknown_field",
    "id unknown_field",
  ]);
  for (const name of ["owner", "sub", "scope", "status", "key", "expand", "filters[owner]", "__proto__"]) {
    const path = `/linked_accounts?${encodeURIComponent(name)}=x`;
    for (const who of [me, stranger(OPERATE)]) {
      const listed = await who.fetch("GET", path);
      assertError(listed, 400, "invalid_request");
      assert.deepEqual(issuesOf(listed), [`${name} unknown_field`]);
    }
  }
  await assertNothingDone(me);
});

test("C25: an account belongs to whom the token names, and is shown by a fixed list of attributes", async () => {
  const strange = account({
    registration_uri: `${omiseUrl}/register`,
    citizen_id: CITIZEN_ID,
    secret: "hidden",
    owner: "hidden",
    link_state: "hidden",
    attempt: "hidden",
    bank_account: { number: "hidden" },
    confirmed_at: "2030-01-01T00:00:00Z",
    request_id: "hidden",
    __PROTO__: "hidden",
    Status: "hidden",
  });
  const id = String(strange.id);
  const operator = stranger(OPERATE);
  omise.answer = answering(200, strange);
  const accounts = [(await me.create()).body, (await me.get(id)).body, (await operator.get(id)).body];
  accounts.push((await me.create()).body.linked_account);
  const hidden = { total_secret: "hidden" };
  omise.answer = answering(200, listOf([strange], hidden));
  const pages = [await operator.fetch("GET", "/linked_accounts"), await me.fetch("GET", "/linked_accounts")];
  omise.answer = answering(200, searchOf([strange], hidden));
  pages.push(
    await operator.fetch("GET", "/linked_accounts/search"),
    await me.fetch("GET", "/linked_accounts/search"),
  );
  omise.answer = answering(200, { ...strange, status: "deleted" });
  accounts.push((await me.delete(id)).body, ...pages.flatMap(({ body }) => body.data));
  assert.equal(accounts.length, 9);
  for (const shown of accounts) {
    assert.deepEqual(Object.keys(shown), ATTRIBUTES);
    assert.equal(shown.confirmed_at, null, "which is the Worker's to say");
  }
  const sql = "SELECT owner AS subject, account FROM links WHERE id = ?";
  const row = await db.first<Record<string, string>>(sql, id);
  assert.equal(row?.subject, me.claims.sub);
  const answered = JSON.stringify([accounts, pages.map(({ body }) => body)]);
  for (const text of [answered, row?.account ?? "", lines.join("\n")]) {
    assert.ok(!text.includes("hidden") && !text.includes(CITIZEN_ID), text);
  }
});

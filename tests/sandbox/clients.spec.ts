// Omise's official clients, as they come from the registries: whoever uses them can use them here. None has a class for linked
// accounts, so those go by what the clients' own resources are made of.

import { strict as assert } from "node:assert";
import { execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { json } from "node:stream/consumers";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { RETURN_URI, sandbox } from "./sandbox.ts";

const { OMISE_PYTHON } = process.env;
if (!OMISE_PYTHON) {
  throw new Error(
    "OMISE_PYTHON is not set: `cargo xtask test --only sandbox` installs Omise's client and says where",
  );
}

const { url, key, call, pending, registered } = await sandbox();
const publicKey = key.replace("skey", "pkey");

/** The part of a list that is wanted. */
interface Part {
  limit: number;
  offset: number;
  order: string;
}

// biome-ignore lint/suspicious/noExplicitAny: it is what is being tested
type Found = any;

/** What a client makes of a call, in its own words. */
interface Client {
  name: string;
  create(fields: object, secretKey?: string): Promise<Found>;
  retrieve(id: string): Promise<Found>;
  destroy(id: string): Promise<Found>;
  /** The accounts of a part of the list. */
  list(part: Part): Promise<Found[]>;
  search(query: string, status: string, order: string): Promise<Found>;
  capability(): Promise<Found>;
  /** The error that it has for Omise's. */
  error(code: string, message: string): object;
}

/** Runs a program that makes one call. */
async function run(program: string, args: string[], call: object): Promise<Found> {
  // Nothing of the environment: the clients would go through its proxy.
  const child = spawn(program, args, { env: {}, stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify({ url, secretKey: key, publicKey, ...call }));
  const outcome = (await json(child.stdout)) as { answer: Found } | { error: object };
  if ("error" in outcome) throw outcome.error;
  return outcome.answer;
}

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const inNode = (resource: string, action: string, args: unknown[], keys?: object) =>
  run(process.execPath, ["--disable-warning=ExperimentalWarning", here("omise-client.ts")], {
    resource,
    action,
    args,
    ...keys,
  });
const inPython = (action: string, args: unknown[], keys?: object) =>
  run(OMISE_PYTHON, [here("omise-client.py")], { action, args, ...keys });

const keys = (secretKey?: string) => (secretKey === undefined ? {} : { secretKey });

const node: Client = {
  name: "Node",
  create: (fields, secretKey) => inNode("linked_accounts", "create", [fields], keys(secretKey)),
  retrieve: (id) => inNode("linked_accounts", "retrieve", [id]),
  destroy: (id) => inNode("linked_accounts", "destroy", [id]),
  list: async (part) => (await inNode("linked_accounts", "list", [part])).data,
  search: (query, status, order) =>
    // it writes no nested parameters
    inNode("search", "list", [{ scope: "linked_account", query, "filters[status]": status, order }]),
  capability: () => inNode("capability", "retrieve", []),
  error: (code, message) => ({
    object: "error",
    location: `https://www.omise.co/api-errors#${code.replaceAll("_", "-")}`,
    code,
    message,
  }),
};

const python: Client = {
  name: "Python",
  create: (fields, secretKey) => inPython("create", [fields], keys(secretKey)),
  retrieve: (id) => inPython("retrieve", [id]),
  destroy: (id) => inPython("destroy", [id]),
  list: (part) => inPython("list", [part]),
  search: (query, status, order) => inPython("search", [{ query, filters: { status }, order }]),
  capability: () => inPython("capability", []),
  error: (code, message) => {
    const classes: Record<string, string> = {
      authentication_failure: "AuthenticationFailureError",
      not_found: "NotFoundError",
    };
    return { class: classes[code] ?? "BaseError", message };
  },
};

for (const client of [node, python]) {
  suite(client.name, () => {
    const idsOf = (accounts: Found[]) => accounts.map(({ id }) => id);
    const shown = async (id: string) => (await call("GET", `/linked_accounts/${id}`)).body;

    test("an account is created, and read as it was made", async () => {
      const metadata = { order: `A 17 & <ก> ${client.name}`, gift: true, count: 3 };
      const fields = { type: "direct_debit_scb", return_uri: RETURN_URI, citizen_id: "AA1234567", metadata };
      const made = await client.create(fields);
      assert.equal(made.object, "linked_account");
      assert.deepEqual(
        [made.status, made.type, made.return_uri, made.metadata],
        ["pending", "direct_debit_scb", RETURN_URI, metadata],
      );
      assert.deepEqual(made, await shown(made.id));
      assert.deepEqual(await client.retrieve(made.id), made);
    });
    test("a registered account is deleted", async () => {
      const id = await registered();
      const before = await shown(id);
      assert.equal(before.status, "successful");
      assert.deepEqual(await client.destroy(id), { ...before, status: "deleted" });
      assert.deepEqual(await client.retrieve(id), await shown(id));
    });
    test("parts of the list, in either order", async () => {
      const ids = [await pending(), await pending(), await pending()];
      const { body } = await call("GET", "/linked_accounts?limit=100");
      const all: Found[] = body.data;
      assert.ok(ids.every((id) => idsOf(all).includes(id)));
      const oldest = await client.list({ limit: 2, offset: 1, order: "chronological" });
      assert.deepEqual(oldest, all.slice(1, 3));
      const newest = await client.list({ limit: 2, offset: 1, order: "reverse_chronological" });
      assert.deepEqual(newest, all.toReversed().slice(1, 3));
    });
    test("a search with words, filters and an order", async () => {
      const word = `word-${client.name}`;
      const ids = [];
      for (const n of [1, 2]) ids.push(await pending({ "metadata[note]": `${word} ${n}` }));
      const found = await client.search(word, "pending", "reverse_chronological");
      assert.deepEqual(
        [found.object, found.scope, found.query, found.filters, found.order, found.total],
        ["search", "linked_account", word, { status: "pending" }, "reverse_chronological", 2],
      );
      assert.deepEqual(idsOf(found.data).toSorted(), ids.toSorted());
      assert.equal((await client.search(word, "successful", "chronological")).total, 0);
    });
    test("the banks that can be linked, by the public key", async () => {
      const { object, payment_methods } = await client.capability();
      assert.equal(object, "capability");
      for (const bank of ["bay", "kbank", "ktb", "scb"]) {
        const method = payment_methods.find(({ name }: Found) => name === `direct_debit_${bank}`);
        const { currencies, card_brands, installment_terms, provider, banks } = method ?? assert.fail(bank);
        assert.deepEqual(
          [currencies, card_brands, installment_terms, provider, banks],
          [["THB"], null, null, null, []],
        );
      }
    });

    test("refused: a key that is not the account's", async () => {
      await assert.rejects(
        client.create({}, "skey_test_5xuy4w91xqz7d1w9u0t"),
        client.error("authentication_failure", "authentication failed"),
      );
    });
    test("refused: an account that is not there", async () => {
      const error = client.error("not_found", "linked account lnac_test_5zylnmmt2kl9chq3ip1 was not found");
      await assert.rejects(client.retrieve("lnac_test_5zylnmmt2kl9chq3ip1"), error);
      await assert.rejects(client.destroy("lnac_test_5zylnmmt2kl9chq3ip1"), error);
    });
    test("refused: to delete what is not registered", async () => {
      const id = await pending();
      const error = client.error("bad_request", "linked account is not registered");
      await assert.rejects(client.destroy(id), error);
    });
    test("refused: an account without a type", async () => {
      const error = client.error("bad_request", "Type is required");
      await assert.rejects(client.create({ return_uri: RETURN_URI }), error);
    });
  });
}

suite("the recipe in the README creates an account", () => {
  const readme = readFileSync("sandbox/npm/README.md", "utf8");
  /** The recipe in a language, for this sandbox. */
  const recipe = (language: string) => {
    const [, section = ""] = readme.split("\n## Omise's own clients\n");
    const [, code] = new RegExp(`\\n\`\`\`${language}\\n([^]*?)\n\`\`\`\\n`).exec(section) ?? [];
    const { port } = new URL(url);
    return (code ?? assert.fail(language)).replaceAll("8788", port).replaceAll("skey_test_…", key);
  };
  /** Runs a recipe and what comes after it, which prints the account. */
  const created = async (program: string, args: string[]) => {
    const { stdout } = await promisify(execFile)(program, args, { env: {} });
    const account = JSON.parse(stdout);
    assert.equal(new URL(account.registration_uri).origin, url);
    assert.deepEqual((await call("GET", `/linked_accounts/${account.id}`)).body, account);
  };
  test("for Node", async () => {
    const code = `${recipe("js")}\ncreated.then((account) => console.log(JSON.stringify(account)));`;
    await created(process.execPath, ["--input-type=commonjs", "--eval", code]);
  });
  test("for Python", async () => {
    await created(OMISE_PYTHON, ["-c", `${recipe("python")}\nimport json\nprint(json.dumps(account))`]);
  });
});

test("Python goes through a list by itself", async () => {
  const { body } = await call("GET", "/linked_accounts?limit=100");
  assert.deepEqual(await inPython("each", []), body.data);
  assert.equal(await inPython("count", []), body.total);
});

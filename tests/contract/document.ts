// The contract as a fuzzer can use it: with what it says by extensions of its own in plain OpenAPI, and with what only the running
// stack knows.

import {
  document,
  type Operation,
  operations,
  reasonsOf,
  resolve,
  type Schema,
} from "../support/contract.ts";

/** What is there to be asked for. */
export interface Known {
  returnUri: string;
  ids: string[];
  linkStates: string[];
}

/** Who is calling, where that decides what can be asked and answered. */
export type Kind = "customer" | "operator" | "nobody";

/** A document that is written to at places named by their path. */
// biome-ignore lint/suspicious/noExplicitAny: a type of all of OpenAPI would say no more
export type ContractDocument = any;

/** Omise's event, as far as it is read: about an account of these, or about anything else. */
const event = (ids: string[]): Schema => ({
  type: "object",
  required: ["object", "id", "livemode", "key", "created_at", "data"],
  properties: {
    object: { const: "event" },
    id: { type: "string", pattern: "^evnt_test_[0-9a-z]{19}$" },
    livemode: { type: "boolean" },
    key: { type: "string" },
    created_at: { $ref: "#/components/schemas/Time" },
    data: {
      anyOf: [
        {
          properties: { object: { const: "linked_account" }, id: { enum: ids } },
          required: ["object", "id"],
        },
        {},
      ],
    },
  },
});

/** These texts among all others. */
const orAny = (texts: string[]): Schema => ({ anyOf: [{ enum: texts }, { type: "string" }] });

/** An answer with the headers of every answer, and the reasons that this operation may give for it. */
function answer(operation: Operation, status: string): object {
  const response = structuredClone(resolve(operation.responses[status] ?? {}));
  const headers = Object.entries(document["x-every-answer"]).map(([name, schema]) => [
    name,
    { required: true, schema },
  ]);
  const content = response.content?.["application/json"];
  if (content?.schema && Number(status) >= 400) {
    const properties = { reason: { enum: reasonsOf(operation, status) } };
    content.schema = { allOf: [content.schema, { properties }] };
  }
  return { ...response, headers: { ...Object.fromEntries(headers), ...response.headers } };
}

/** The statuses that an operation may answer this caller with. */
function statusesFor(kind: Kind, operation: Operation): string[] {
  const statuses = Object.keys(operation.responses);
  // whoever is nobody is told nothing else, whatever they ask
  if (kind === "nobody" && !("security" in operation)) return ["401", "405"];
  if (kind === "customer" && operation.operationId === "audit") return ["401", "403", "405"];
  if (kind === "operator") return statuses.filter((status) => status !== "403");
  return statuses;
}

/** The document for a caller of this kind. */
export function documentFor(kind: Kind, known: Known): ContractDocument {
  const copy: ContractDocument = structuredClone(document);
  for (const { path, method, operation } of operations()) {
    const answers = statusesFor(kind, operation).map((status) => [status, answer(operation, status)]);
    copy.paths[path][method.toLowerCase()].responses = Object.fromEntries(answers);
  }
  const { schemas } = copy.components;
  const least = { type: "direct_debit_kbank", return_uri: known.returnUri };
  schemas.Create.properties.return_uri = { const: known.returnUri };
  schemas.Confirm.properties.link_state = orAny(known.linkStates);
  const { "/linked_accounts": accounts, "/linked_accounts/search": search } = copy.paths;
  copy.paths["/linked_accounts/{id}"].parameters[0].schema = orAny(known.ids);
  copy.paths["/webhooks/omise"].post.requestBody.content["application/json"].schema = event(known.ids);
  const [key] = accounts.post.parameters;
  key.schema = { anyOf: [{ enum: ["again", "and-again"] }, key.schema] };
  accounts.post.requestBody.content["application/json"].schema = {
    anyOf: [{ enum: [least] }, { $ref: "#/components/schemas/Create" }],
  };
  const created = search.get.parameters.find(({ name }: { name?: string }) => name === "filters[created]");
  // that a day is in the calendar, and not after another, is more than a pattern says
  created.schema = {
    anyOf: [
      { enum: ["2024-02-29", "2000-01-01..2099-12-31"] },
      { type: "string", pattern: "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$" },
    ],
  };
  if (kind === "operator") {
    const { get } = accounts;
    get.parameters = get.parameters.filter(({ $ref }: { $ref: string }) => !/Status|Type/.test($ref));
  }
  return copy;
}

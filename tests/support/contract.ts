// The contract, worker/openapi.json, and whether an answer keeps it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { Answer } from "./answer.ts";

export type Schema = Record<string, unknown>;

interface Reference {
  $ref: string;
}

interface Content {
  content?: { "application/json": { schema?: Schema } };
}

interface Header {
  required?: boolean;
  schema: Schema;
}

interface Response extends Content {
  headers?: Record<string, Header | Reference>;
  "x-reasons"?: string[];
}

export interface Parameter {
  name: string;
  in: string;
  schema: Schema;
}

export interface Operation {
  operationId: string;
  parameters?: (Parameter | Reference)[];
  requestBody?: Content;
  responses: Record<string, Response | Reference>;
  "x-reasons"?: Record<string, string[]>;
}

/** What this document has of OpenAPI, and its two extensions. */
interface Document extends Record<string, unknown> {
  info: { version: string };
  /** Headers of every answer, each with the schema of its value. */
  "x-every-answer": Record<string, Schema>;
  /** The answer to paths that are not here. */
  "x-other-path": Record<string, Response | Reference>;
  paths: Record<string, Record<string, Operation>>;
  components: {
    responses: Record<string, Response>;
    schemas: Record<"Error" | "Issue", { properties: Record<string, { enum?: string[] }> }>;
  };
}

export const DOCUMENT_URL = new URL("../../worker/openapi.json", import.meta.url);
export const document: Document = JSON.parse(readFileSync(DOCUMENT_URL, "utf8"));

const METHODS = ["get", "put", "post", "delete", "patch"];

/** Headers of the connection, and those that CORS adds for some callers. */
const UNDOCUMENTED =
  /^(connection|content-encoding|content-length|content-type|date|keep-alive|transfer-encoding|access-control-.*)$/;

const ajv = new Ajv2020({ allErrors: true, strictTypes: false });
ajv.addKeyword("components");
// as Omise writes it, which is narrower than the format: UTC, and whole seconds
ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
ajv.addFormat("uri", (text) => URL.canParse(text));

const compiled = new Map<Schema, ValidateFunction>();

/** A schema of the document, ready for use. */
export function validator(schema: Schema): ValidateFunction {
  let validate = compiled.get(schema);
  if (!validate) {
    // so that `#/components/…` is found within it
    validate = ajv.compile({ ...schema, components: document.components });
    compiled.set(schema, validate);
  }
  return validate;
}

/** What a reference within the document refers to. */
export function resolve<T extends object>(value: T | Reference): T {
  if (!("$ref" in value)) return value;
  let target: unknown = document;
  for (const name of value.$ref.slice("#/".length).split("/")) {
    target = (target as Record<string, unknown>)[name];
  }
  assert.ok(target, `there is no ${value.$ref}`);
  return target as T;
}

/** Every operation, with its path and method. */
export function operations(): { path: string; method: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((name) => {
      const operation = item[name];
      return operation ? [{ path, method: name.toUpperCase(), operation }] : [];
    }),
  );
}

/** The path of the document that a request's path is an instance of. A fixed segment goes before a parameter. */
function template(path: string): string | undefined {
  const segments = path.split("/");
  const matches = (pattern: string) => {
    const parts = pattern.split("/");
    return (
      parts.length === segments.length &&
      parts.every((part, i) => (part.startsWith("{") ? segments[i] !== "" : part === segments[i]))
    );
  };
  return path in document.paths ? path : Object.keys(document.paths).find(matches);
}

/** The operation that a request asks for; `path` is that of the URL. */
export function find(method: string, path: string): Operation | undefined {
  const found = template(path);
  return operations().find((each) => each.path === found && each.method === method)?.operation;
}

/** What the document says of an answer with this status. */
function documented(method: string, path: string, status: number): Response {
  const found = template(path);
  const operation = find(method, path);
  let responses: Record<string, Response | Reference>;
  if (found === undefined) responses = document["x-other-path"];
  else if (operation) responses = operation.responses;
  else if (method === "OPTIONS") responses = { 204: {} };
  else responses = operations().find((each) => each.path === found)?.operation.responses ?? {};
  const response = responses[status];
  assert.ok(response, `${method} ${found ?? "of another path"} has no ${status}`);
  // 405 is for the methods that a path does not know, and all they get
  if (found !== undefined && method !== "OPTIONS") {
    assert.equal(status === 405, !operation, `${method} ${found} is answered with ${status}`);
  }
  return resolve(response);
}

/** The reasons that an operation documents for a status. */
export function reasonsOf(operation: Operation | undefined, status: string | number): string[] {
  const response = operation?.responses[status];
  return operation?.["x-reasons"]?.[status] ?? (response && resolve(response)["x-reasons"]) ?? [];
}

/** Fails unless the document says that this request may be answered like this, member by member. */
export function assertContract(method: string, path: string, answer: Answer): void {
  const response = documented(method, path, answer.status);
  const what = `${method} ${template(path) ?? "of another path"}, ${answer.status}`;
  assertHeaders(what, response, answer.headers);

  const schema = response.content?.["application/json"].schema;
  // an answer to HEAD has the headers of one with a body
  if (method === "HEAD") return;
  if (!schema) {
    assert.equal(answer.body, undefined, `${what}: there is a body`);
    return;
  }
  assert.equal(answer.headers.get("Content-Type"), "application/json; charset=utf-8", what);
  assertValid(what, schema, answer.body);
  if (answer.status >= 400) {
    const operation = find(method, path);
    const reasons = operation ? reasonsOf(operation, answer.status) : (response["x-reasons"] ?? []);
    assert.ok(reasons.includes(answer.body.reason), `${what}: ${answer.body.reason} is no reason for it`);
  }
}

function assertHeaders(what: string, response: Response, headers: Headers): void {
  const declared = new Map<string, Header>();
  for (const [name, schema] of Object.entries(document["x-every-answer"])) {
    declared.set(name.toLowerCase(), { required: true, schema });
  }
  for (const [name, header] of Object.entries(response.headers ?? {})) {
    declared.set(name.toLowerCase(), resolve(header));
  }
  for (const [name, { required, schema }] of declared) {
    const value = headers.get(name);
    if (value !== null) {
      assertValid(`${what}, ${name}`, schema, schema.type === "integer" ? Number(value) : value);
    } else assert.ok(!required, `${what}: ${name} is missing`);
  }
  for (const name of headers.keys()) {
    assert.ok(declared.has(name) || UNDOCUMENTED.test(name), `${what}: ${name} is not documented`);
  }
}

function assertValid(what: string, schema: Schema, value: unknown): void {
  const validate = validator(schema);
  assert.ok(
    validate(value),
    `${what}: ${ajv.errorsText(validate.errors)}; ${JSON.stringify(validate.errors?.map((e) => e.params))}`,
  );
}

// now, so that no test's clock runs while they are compiled
for (const { operation } of operations()) {
  for (const response of Object.values(operation.responses)) {
    const { content, headers = {} } = resolve(response);
    if (content?.["application/json"].schema) validator(content["application/json"].schema);
    for (const header of Object.values(headers)) validator(resolve(header).schema);
  }
}
for (const schema of Object.values(document["x-every-answer"])) validator(schema);

// The rules of a form, on either module that has them: `wasm/client.js` or `wasm/validate.js`.

import { words } from "./words.js";

/** @typedef {{ issues: Record<string, string> } | undefined} Catalogue */

/** What the Worker calls the parameters of `create`, where it is not what this package calls them. */
const WIRE_NAMES = new Map([
  ["returnUri", "return_uri"],
  ["citizenId", "citizen_id"],
  ["replacePending", "replace_pending"],
]);

/** @param {string} name */
export const wireName = (name) => WIRE_NAMES.get(name) ?? name;

/**
 * The parameters of `create`, taken apart and written into one text for Rust (`src/js/fields.rs` says how): what JSON would have of
 * them. `undefined` where they are no object.
 *
 * @param {unknown} params
 * @returns {string | undefined}
 */
function takeApart(params) {
  if (typeof params !== "object" || params === null || Array.isArray(params)) return undefined;
  let text = "";
  for (const name of Object.keys(params)) {
    const value = /** @type {Record<string, unknown>} */ (params)[name];
    if (value === undefined) continue;
    const kind = kindOf(value);
    if (kind !== "o") {
      text += member(wireName(name), kind, value);
      continue;
    }
    // a function has no members that JSON would have
    const inner = typeof value === "object" ? Object.entries(/** @type {object} */ (value)) : [];
    const members = inner.filter(([, value]) => value !== undefined);
    text += `o${wireName(name).length},${members.length},${wireName(name)}`;
    for (const [name, value] of members) text += member(name, kindOf(value), value);
  }
  return text;
}

/**
 * @param {string} name
 * @param {string} kind
 * @param {unknown} value
 */
function member(name, kind, value) {
  const text = kind === "s" || kind === "n" ? String(value) : "";
  return `${kind}${name.length},${text.length},${name}${text}`;
}

/** @param {unknown} value */
function kindOf(value) {
  switch (typeof value) {
    case "string":
      return "s";
    case "boolean":
      return value ? "t" : "f";
    case "number":
      // as JSON has it, and exact
      return Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value)) ? "n" : "N";
    case "bigint":
      return "N";
    default:
      return value === null ? "z" : Array.isArray(value) ? "a" : "o";
  }
}

/**
 * @param {() => Promise<any>} load gives the glue, ready to be called
 * @returns {typeof import("./validate.d.ts").loadValidator}
 */
export const validatorLoader =
  (load) =>
  async ({ locale } = {}) =>
    validator(...(await Promise.all([load(), words(locale)])));

/**
 * @param {any} glue
 * @param {Catalogue} catalogue
 * @returns {import("./validate.d.ts").Validator}
 */
export function validator(glue, catalogue) {
  /**
   * @param {string} field
   * @param {string | undefined} code
   */
  const check = (field, code) => (code === undefined ? null : issue(catalogue, field, code));
  return Object.freeze({
    validateCreate: (/** @type {unknown} */ params) => issues(catalogue, faults(glue, params)),
    parseId(/** @type {string} */ id) {
      const mode = typeof id === "string" ? glue.idMode(id) : 0;
      return mode === 0 ? null : { id, livemode: mode === 2 };
    },
    checkReturnUri: (/** @type {string} */ text) =>
      check("return_uri", typeof text === "string" ? glue.checkReturnUri(text) : "wrong_type"),
    checkCitizenId: (/** @type {string} */ text) =>
      check("citizen_id", typeof text === "string" ? glue.checkCitizenId(text) : "wrong_type"),
  });
}

/**
 * What is wrong with the parameters of `create`, as Rust says it: field and code, one after the other.
 *
 * @param {{ validateCreate(members?: string): string | undefined }} glue
 * @param {unknown} params
 * @returns {string[]}
 */
export function faults(glue, params) {
  return glue.validateCreate(takeApart(params))?.split("\n") ?? [];
}

/**
 * Issues as Rust gives them: field and code, one after the other.
 *
 * @param {Catalogue} catalogue
 * @param {string[]} list
 * @returns {import("./types.d.ts").Issue[]}
 */
export function issues(catalogue, list) {
  const found = [];
  for (let at = 0; at < list.length; at += 2)
    found.push(issue(catalogue, list[at] ?? "", list[at + 1] ?? ""));
  return found;
}

/**
 * @param {Catalogue} catalogue
 * @param {string} field
 * @param {string} code
 * @returns {import("./types.d.ts").Issue}
 */
export function issue(catalogue, field, code) {
  const texts = catalogue?.issues;
  // without words the code has to do
  return { field, code, message: texts?.[`${field} ${code}`] ?? texts?.[code] ?? code };
}

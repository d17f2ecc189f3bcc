// The rules of a form, on either module that has them: `wasm/client.js` or `wasm/validate.js`.

import { words } from "./words.js";

/** @typedef {{ issues: Record<string, string> } | undefined} Catalogue */

/** What the Worker calls the parameters of `create`, where it is not what this package calls them. @type {Record<string, string>} */
const WIRE_NAMES = {
  // not what every object has
  __proto__: /** @type {any} */ (null),
  returnUri: "return_uri",
  citizenId: "citizen_id",
  replacePending: "replace_pending",
};

/** @param {string} name */
export const wireName = (name) => WIRE_NAMES[name] ?? name;

/**
 * What is wrong with the parameters of `create`, as Rust says it: a line each, of field and code.
 *
 * The three texts that most forms have cross as they are; the other parameters are taken apart and written into one text
 * (`src/js/fields.rs` says how): what JSON would have of them.
 *
 * @param {{ validateCreate(given: number, others: string, type: string, returnUri: string, citizenId: string): string | undefined }} glue
 * @param {unknown} params
 * @returns {string[]}
 */
export function faults(glue, params) {
  if (typeof params !== "object" || params === null || Array.isArray(params)) {
    return list(glue.validateCreate(0, "", "", "", ""));
  }
  // which arguments stand for something, a bit each
  let given = 1;
  let type = "";
  let returnUri = "";
  let citizenId = "";
  /** @type {unknown[] | undefined} most forms have none */
  let others;
  for (const key of Object.keys(params)) {
    const name = wireName(key);
    const value = /** @type {Record<string, unknown>} */ (params)[key];
    if (value === undefined) continue;
    if (name === "type" && typeof value === "string" && !(given & 2)) {
      given |= 2;
      type = value;
    } else if (name === "return_uri" && typeof value === "string" && !(given & 4)) {
      given |= 4;
      returnUri = value;
    } else if (name === "citizen_id" && typeof value === "string" && !(given & 8)) {
      given |= 8;
      citizenId = value;
    } else {
      others ??= [];
      write(others, name, value, true);
    }
  }
  return list(glue.validateCreate(given, others?.join("") ?? "", type, returnUri, citizenId));
}

/** @param {string | undefined} lines */
const list = (lines) => lines?.split("\n") ?? [];

/**
 * @param {unknown[]} parts is added to, and joined in the end: a text that was put together bit by bit is read slowly
 * @param {string} name
 * @param {unknown} value
 * @param {boolean} [deep] whether its members matter
 */
function write(parts, name, value, deep = false) {
  const kind = kindOf(value);
  if (kind === "o" && deep) {
    const members = /** @type {Record<string, unknown>} */ (value);
    // a function has no members that JSON would have
    const keys = typeof value === "object" ? Object.keys(members) : [];
    const names = keys.filter((key) => members[key] !== undefined);
    parts.push(`${kind}${name.length},${names.length},`, name);
    for (const name of names) write(parts, name, members[name]);
    return;
  }
  const text = kind === "s" || kind === "n" ? String(value) : "";
  parts.push(`${kind}${name.length},${text.length},`, name, text);
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
 * @param {(wasm?: import("./types.d.ts").WasmSource) => Promise<any>} load gives the glue, ready to be called
 * @returns {typeof import("./validate.d.ts").loadValidator}
 */
export const validatorLoader =
  (load) =>
  async ({ locale, wasm } = {}) =>
    validator(...(await Promise.all([load(wasm), words(locale)])));

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
 * @param {Catalogue} catalogue
 * @param {string[]} lines as Rust gives them
 * @returns {import("./types.d.ts").Issue[]}
 */
export function issues(catalogue, lines) {
  return lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return issue(catalogue, line.slice(0, at), line.slice(at + 1), line);
  });
}

/**
 * @param {Catalogue} catalogue
 * @param {string} field
 * @param {string} code
 * @param {string} [line] both
 * @returns {import("./types.d.ts").Issue}
 */
export function issue(catalogue, field, code, line = `${field} ${code}`) {
  const texts = catalogue?.issues;
  // without words the code has to do
  return { field, code, message: texts?.[line] ?? texts?.[code] ?? code };
}

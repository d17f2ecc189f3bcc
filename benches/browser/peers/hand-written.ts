// The rules with no library, as a frontend developer would write them down for this one form.

import { fits, type Issue, isCitizenId, isExact, isName, isReturnUri, MESSAGES, TYPES } from "../rules.ts";

const FIELDS = new Set(["type", "returnUri", "citizenId", "metadata", "replacePending"]);
const BANKS: ReadonlySet<unknown> = new Set(TYPES);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value) && isExact(value);
  return typeof value === "string" || typeof value === "boolean";
}

function checkMetadata(metadata: unknown, issues: Issue[]): void {
  if (!isObject(metadata)) {
    issues.push({ field: "metadata", message: MESSAGES.metadata });
    return;
  }
  const before = issues.length;
  for (const [name, value] of Object.entries(metadata)) {
    if (!isName(name) || !isScalar(value))
      issues.push({ field: `metadata.${name}`, message: MESSAGES.metadata });
  }
  if (issues.length === before && !fits(metadata)) {
    issues.push({ field: "metadata", message: MESSAGES.metadata });
  }
}

/** Everything that is wrong with the parameters. */
export function validate(params: unknown): Issue[] {
  if (!isObject(params)) return [{ field: "", message: MESSAGES.metadata }];
  const issues: Issue[] = [];
  const { type, returnUri, citizenId, metadata, replacePending } = params;
  if (!BANKS.has(type)) issues.push({ field: "type", message: MESSAGES.type });
  if (typeof returnUri !== "string" || !isReturnUri(returnUri)) {
    issues.push({ field: "return_uri", message: MESSAGES.returnUri });
  }
  if (citizenId != null && (typeof citizenId !== "string" || !isCitizenId(citizenId))) {
    issues.push({ field: "citizen_id", message: MESSAGES.citizenId });
  }
  if (metadata != null) checkMetadata(metadata, issues);
  if (replacePending != null && typeof replacePending !== "boolean") {
    issues.push({ field: "replace_pending", message: MESSAGES.replacePending });
  }
  for (const field of Object.keys(params)) {
    if (!FIELDS.has(field)) issues.push({ field, message: MESSAGES.unknown });
  }
  return issues;
}

export { validate as check };

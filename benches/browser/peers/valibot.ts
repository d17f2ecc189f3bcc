// The rules on valibot, as its documentation writes schemas.

import * as v from "valibot";
import {
  fits,
  type Issue,
  isCitizenId,
  isExact,
  isName,
  isReturnUri,
  MESSAGES,
  TYPES,
  wireName,
} from "../rules.ts";

const schema = v.strictObject(
  {
    type: v.picklist(TYPES, MESSAGES.type),
    returnUri: v.pipe(v.string(MESSAGES.returnUri), v.check(isReturnUri, MESSAGES.returnUri)),
    citizenId: v.nullish(v.pipe(v.string(MESSAGES.citizenId), v.check(isCitizenId, MESSAGES.citizenId))),
    metadata: v.nullish(
      v.pipe(
        v.record(
          v.pipe(v.string(), v.check(isName, MESSAGES.metadata)),
          v.union(
            [
              v.string(),
              v.boolean(),
              v.pipe(v.number(), v.finite(MESSAGES.metadata), v.check(isExact, MESSAGES.metadata)),
            ],
            MESSAGES.metadata,
          ),
          MESSAGES.metadata,
        ),
        v.check(fits, MESSAGES.metadata),
      ),
    ),
    replacePending: v.nullish(v.boolean(MESSAGES.replacePending)),
  },
  // one text for both: a field too many, and one that is missing
  ({ expected }) => (expected === "never" ? MESSAGES.unknown : MESSAGES.required),
);

/** Issues as the library tells them. */
export const check = (params: unknown): readonly unknown[] => v.safeParse(schema, params).issues ?? [];

/** The same, for a form. */
export const validate = (params: unknown): Issue[] =>
  (v.safeParse(schema, params).issues ?? []).map(({ path = [], message }) => ({
    field: wireName(path.map((item) => item.key as PropertyKey)),
    message,
  }));

// The rules on zod/mini, zod's smaller entry: functions in place of methods, and no words of its own.

import * as z from "zod/mini";
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

const schema = z.strictObject(
  {
    type: z.enum(TYPES, MESSAGES.type),
    returnUri: z.string(MESSAGES.returnUri).check(z.refine(isReturnUri, MESSAGES.returnUri)),
    citizenId: z.nullish(z.string(MESSAGES.citizenId).check(z.refine(isCitizenId, MESSAGES.citizenId))),
    metadata: z.nullish(
      z
        .record(
          z.string().check(z.refine(isName, MESSAGES.metadata)),
          z.union(
            [z.string(), z.boolean(), z.number().check(z.refine(isExact, MESSAGES.metadata))],
            MESSAGES.metadata,
          ),
          MESSAGES.metadata,
        )
        .check(z.refine(fits, MESSAGES.metadata)),
    ),
    replacePending: z.nullish(z.boolean(MESSAGES.replacePending)),
  },
  MESSAGES.unknown,
);

/** Issues as the library tells them. */
export const check = (params: unknown): readonly unknown[] => schema.safeParse(params).error?.issues ?? [];

/** The same, for a form. */
export const validate = (params: unknown): Issue[] =>
  (schema.safeParse(params).error?.issues ?? []).flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((field) => ({ field, message: issue.message }))
      : [{ field: wireName(issue.path), message: issue.message }],
  );

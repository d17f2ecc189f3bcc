// The rules on zod 4, as its documentation writes schemas.

import * as z from "zod";
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
    returnUri: z.string(MESSAGES.returnUri).refine(isReturnUri, MESSAGES.returnUri),
    citizenId: z.string(MESSAGES.citizenId).refine(isCitizenId, MESSAGES.citizenId).nullish(),
    metadata: z
      .record(
        z.string().refine(isName, MESSAGES.metadata),
        z.union([z.string(), z.boolean(), z.number().refine(isExact, MESSAGES.metadata)], MESSAGES.metadata),
        MESSAGES.metadata,
      )
      .refine(fits, MESSAGES.metadata)
      .nullish(),
    replacePending: z.boolean(MESSAGES.replacePending).nullish(),
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

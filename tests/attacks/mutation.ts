// Mutation: a defence taken out of the Worker. `mutations.full.ts` builds the Worker without it, and a test of its row has to fail.

/** The Worker as shipped, or with crash points (feature `fault`). */
export type Build = "build" | "build-fault";

interface Defence {
  /** The row of docs/threat-model.md; names of its tests begin with it: `C1: …`. */
  row: string;
  /** Completes the sentence "the Worker no longer …". */
  removes: string;
  /** The file that changes, relative to the project's folder. */
  file: string;
  /** The build that the row's tests run; the shipped one unless set. */
  build?: Build;
}

/** Replaces a text that the file contains exactly once. */
export interface Substitution extends Defence {
  find: string;
  replace: string;
}

/** A file for `git apply`. Its first lines, before the diff, are `Row: …` and `Removes: …`. */
export interface Patch extends Defence {
  patch: string;
}

export type Mutation = Substitution | Patch;

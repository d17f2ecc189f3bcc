// A defence taken away: `mutations.full.ts` builds the Worker without it, and the row's test has to fail.

/** The Worker as it is shipped, or with faults for what only dies there. */
export type Build = "build" | "build-fault";

export interface Mutation {
  /** The row of the attack cases: its tests are named `C1: …`. */
  row: string;
  /** What the Worker no longer does, in a few words. */
  removes: string;
  /** From the project's folder. */
  file: string;
  /** What stands in the file once. */
  find: string;
  replace: string;
  /** The build whose tests tell; that which is shipped, unless said otherwise. */
  build?: Build;
}

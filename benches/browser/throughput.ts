// Measures the validators side by side, in whatever engine this is loaded.

import { Bench } from "tinybench";
import * as handWritten from "./peers/hand-written.ts";
import * as valibot from "./peers/valibot.ts";
import * as zod from "./peers/zod.ts";
import * as zodMini from "./peers/zod-mini.ts";
import { CASES, type Issue, SELDOM } from "./rules.ts";

/** A way to have the rules. */
interface Validator {
  /** Issues as it tells them. */
  check(params: unknown): readonly unknown[];
  /** The same, for a form. */
  validate(params: unknown): Issue[];
}

/** What the package's validator has of it. */
interface Ours {
  validateCreate(params: unknown): Issue[];
}

/** What a case took a validator, in nanoseconds a call: a number for each round. */
export interface Taken {
  case: string;
  who: string;
  medians: number[];
  p99s: number[];
}

/** Calls a sample: a browser's clock has steps of five microseconds. */
const CALLS = 1_000;

/** How often everybody is measured, in turn. */
export interface Rounds {
  rounds: number;
  /** Milliseconds of one validator on one case in one round. */
  time: number;
}

export async function measure({ validateCreate }: Ours, { rounds, time }: Rounds): Promise<Taken[]> {
  const validators: Record<string, Validator> = {
    ours: { check: validateCreate, validate: validateCreate },
    "zod 4": zod,
    "zod/mini": zodMini,
    valibot,
    "hand-written": handWritten,
  };
  agree(validators);

  const all = CASES.flatMap(({ name }) =>
    Object.keys(validators).map((who): Taken => ({ case: name, who, medians: [], p99s: [] })),
  );
  // an engine optimises for what it has seen: in every round all of them see all cases
  for (let round = 0; round < rounds; round++) {
    for (const { name, params } of CASES) {
      const bench = new Bench({ time, iterations: 10, warmupTime: time / 2, warmupIterations: 5 });
      const order = Object.entries(validators);
      if (round % 2 === 1) order.reverse();
      for (const [who, { check }] of order) {
        bench.add(who, () => {
          let issues = 0;
          for (let call = 0; call < CALLS; call++) issues += check(params).length;
          return issues;
        });
      }
      await bench.run();
      for (const { name: who, result } of bench.tasks) {
        if (result.state !== "completed") throw new Error(`${who}, ${name}: ${result.state}`);
        const taken = all.find((other) => other.case === name && other.who === who);
        taken?.medians.push((result.latency.p50 * 1e6) / CALLS);
        taken?.p99s.push((result.latency.p99 * 1e6) / CALLS);
      }
    }
  }
  return all;
}

/** Everybody finds the same fields wrong, or there is nothing to compare. */
function agree(validators: Record<string, Validator>): void {
  const fields = (names: string[]) => [...new Set(names)].sort().join();
  for (const { name, params, wrong } of [...CASES, ...SELDOM]) {
    for (const [who, { check, validate }] of Object.entries(validators)) {
      const found = fields(validate(params).map(({ field }) => field));
      if (found !== fields(wrong)) throw new Error(`${who}, ${name}: found ${found}, not ${wrong}`);
      if ((check(params).length === 0) !== (wrong.length === 0))
        throw new Error(`${who}, ${name}: cannot decide`);
    }
  }
}

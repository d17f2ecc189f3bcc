// Measures the validators side by side, in whatever engine this is loaded.

import { Bench } from "tinybench";
import { CASES, fieldsOf, peers } from "./rules.ts";

interface Validator {
  validateCreate(params: unknown): { field: string }[];
}

export interface Row {
  case: string;
  validator: string;
  /** Nanoseconds a call. */
  median: number;
  p99: number;
}

/** Calls a sample: a browser's clock has steps of five microseconds. */
const CALLS = 1_000;
/** Milliseconds a measurement: long enough for an engine to have optimised what it will. */
const TIME = 500;

export async function measure(ours: Validator): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, params, wrong } of CASES) {
    const judges = { ours: (p: unknown) => ours.validateCreate(p).map((issue) => issue.field), ...fieldsOf };
    for (const [validator, judge] of Object.entries(judges)) {
      const found = [...new Set(judge(params))].sort();
      if (found.join() !== [...wrong].sort().join())
        throw new Error(`${validator}, ${name}: found ${found}, not ${wrong}`);
    }
    const bench = new Bench({ time: TIME, warmupTime: 200 });
    const validators = { ours: (p: unknown) => ours.validateCreate(p), ...peers };
    for (const [validator, validate] of Object.entries(validators)) {
      bench.add(validator, () => {
        let issues = 0;
        for (let call = 0; call < CALLS; call++) issues += validate(params).length;
        return issues;
      });
    }
    await bench.run();
    for (const task of bench.tasks) {
      if (task.result.state !== "completed") throw new Error(`${task.name}, ${name}: ${task.result.state}`);
      const { p50, p99 } = task.result.latency;
      rows.push({ case: name, validator: task.name, median: (p50 * 1e6) / CALLS, p99: (p99 * 1e6) / CALLS });
    }
  }
  return rows;
}

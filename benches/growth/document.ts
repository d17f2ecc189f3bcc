// The measured figures of docs/scale.md: what the last full run has written to docs/bench/growth.json, as tables.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Figure } from "../report.ts";

const DOCUMENT = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "docs/scale.md");
const BEGIN = "<!-- measured: written by `cargo xtask bench --only growth` -->";
const END = "<!-- end of measured -->";

/** Writes the figures between the two marks of the document. */
export function writeTable(figures: Figure[]): void {
  const text = readFileSync(DOCUMENT, "utf8");
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${DOCUMENT} has lost its marks`);
  // one for those who are compared with each other
  const comparedWith = ({ name }: Figure) =>
    /^(of one|size of a row|pollers)/.exec(name)?.[0].replace("size of a row", "of one");
  const tables = [...Map.groupBy(figures, comparedWith).values()].map(tableOf);
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n\n${tables.join("\n\n")}\n\n${END}${after}`);
}

/** A line a figure, a column for each of those who are compared. */
function tableOf(figures: Figure[]): string {
  const columns = [...new Set(figures.flatMap(({ values }) => values.map(({ who }) => who)))];
  const lines = figures.map(({ name, unit, values }) => [
    `${name}, ${unit}`,
    ...columns.map((column) => {
      const median = values.find(({ who }) => who === column)?.median;
      return median === undefined ? "" : shown(median);
    }),
  ]);
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(["", ...columns]), `|---|${"--:|".repeat(columns.length)}`, ...lines.map(line)].join("\n");
}

/** Three digits, or whole numbers. */
function shown(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}

// What a benchmark says in the end: a table, and under docs/bench/ the same as JSON and as a chart.
//
// Figures that were measured against peers hold one value for each of them, ours under the name `ours`. What a round measured is one
// number; `across` makes the value of several rounds. Goals are told as met or missed, and fail nothing.

import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, platform } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Whether fewer rounds are wanted than what is published needs: set by `cargo xtask bench --quick`. */
export const QUICK = Boolean(process.env.QUICK);

/** Who is measured against the others. */
const OURS = "ours";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** What a quick run measured does not replace what a full one did. */
const FOLDER = join(ROOT, QUICK ? "target/bench" : "docs/bench");

/** What was measured of one of those who are compared. */
export interface Value {
  who: string;
  median: number;
  p99?: number;
  /** How far the round that is farthest from the median is from it, as a share of the median. */
  spread: number;
}

/** One thing that was measured, of everybody. */
export interface Figure {
  name: string;
  unit: string;
  /** Which is better. */
  better: "more" | "less";
  values: Value[];
  /** `false`: in the table and the JSON, but not in the chart. */
  chart?: boolean;
}

/** What was hoped for, and what came. */
export interface Goal {
  goal: string;
  want: number;
  got: number;
  met: boolean;
}

/** The middle one; of an even number the mean of the middle two. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const upper = sorted.length >> 1;
  const lower = sorted.length % 2 ? upper : upper - 1;
  return ((sorted[lower] ?? Number.NaN) + (sorted[upper] ?? Number.NaN)) / 2;
}

/** The value of several rounds, each of which measured one median and, if at all, one p99. */
export function across(who: string, rounds: readonly number[], p99s?: readonly number[]): Value {
  const middle = median(rounds);
  const farthest = Math.max(...rounds.map((round) => Math.abs(round - middle)));
  const spread = farthest === 0 ? 0 : farthest / Math.abs(middle);
  return { who, median: middle, ...(p99s && { p99: median(p99s) }), spread };
}

/** How many times as good as another's ours is, 2 for twice; none where there is nothing to divide by. */
export function ratio(figure: Figure, who: string): number | undefined {
  const of = (name: string) => figure.values.find((value) => value.who === name)?.median;
  const [ours, theirs] = [of(OURS), of(who)];
  if (ours === undefined || theirs === undefined || ours <= 0 || theirs <= 0) return undefined;
  return figure.better === "more" ? ours / theirs : theirs / ours;
}

/** Prints the tables, and writes `<part>.json` and `<part>.svg`. */
export function report(part: string, figures: Figure[], goals: Goal[]): void {
  console.log(tableOf(part, figures));
  if (goals.length > 0) console.log(`\n${goalsOf(goals)}`);
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${platform()} ${arch()}, Node ${process.version}`;
  const json = {
    part,
    measured: new Date().toISOString().slice(0, 10),
    machine,
    quick: QUICK,
    figures,
    goals,
  };
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${part}.json`), `${JSON.stringify(json, null, 2)}\n`);
  writeFileSync(join(FOLDER, `${part}.svg`), chartOf(part, figures));
  console.log(`\n2.00× is twice as good. Written to ${FOLDER.slice(ROOT.length + 1)}/${part}.json and .svg.`);
}

/** Four digits, or all that are before the point. */
function shown(value: number): string {
  const digits = Math.abs(value) >= 1_000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 };
  return value.toLocaleString("en-US", digits);
}

function tableOf(part: string, figures: Figure[]): string {
  const header = [part, "", "median", "p99", "spread", "ours is"];
  const rows = figures.flatMap((figure) =>
    figure.values.map((value, at) => {
      const times = value.who === OURS ? undefined : ratio(figure, value.who);
      return [
        at === 0 ? `${figure.name}, ${figure.unit}` : "",
        value.who,
        shown(value.median),
        value.p99 === undefined ? "" : shown(value.p99),
        `±${(value.spread * 100).toFixed(0)} %`,
        times === undefined ? "" : `${times.toFixed(2)}×`,
      ];
    }),
  );
  return aligned([header, ...rows], 2);
}

function goalsOf(goals: Goal[]): string {
  const header = ["goal", "want", "got", ""];
  const rows = goals.map(({ goal, want, got, met }) => [
    goal,
    shown(want),
    shown(got),
    met ? "met" : "missed",
  ]);
  return aligned([header, ...rows], 1);
}

/** Columns of text, the first `left` of them flush left. */
function aligned(rows: string[][], left: number): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: string[]) =>
    row.map((cell, column) =>
      column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
  return rows.map((row) => line(row).join("  ").trimEnd()).join("\n");
}

// The chart: a panel for each figure, in two columns, with a bar for each value and a line for its spread. It brings its own
// background, since a page that shows it as an image may be darker or lighter than what the reader's system prefers.

const PANEL = 430;
const NAMES = 130;
const NUMBERS = 70;
const BAR = PANEL - NAMES - NUMBERS - 24;
const HEAD = 36;
const ROW = 18;
const STYLE = `
  .back { fill: #fff } text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 }
  .unit { fill: #59636e } .number { text-anchor: end } .bar { fill: #8c959f } .ours { fill: #0969da } .spread { stroke: #1f2328 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 } text { fill: #f0f6fc } .unit { fill: #9198a1 } .bar { fill: #656c76 } .ours { fill: #4493f8 }
    .spread { stroke: #f0f6fc }
  }
`;

function chartOf(part: string, figures: Figure[]): string {
  const charted = figures.filter(({ chart }) => chart !== false);
  const panels: string[] = [];
  let y = 12;
  for (let at = 0; at < charted.length; at += 2) {
    const pair = charted.slice(at, at + 2);
    panels.push(...pair.map((figure, column) => panelOf(figure, 12 + column * PANEL, y)));
    y += HEAD + 16 + ROW * Math.max(...pair.map(({ values }) => values.length));
  }
  const size = `width="${2 * PANEL + 12}" height="${y}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escaped(`Benchmarks: ${part}`)}">
<style>${STYLE}</style>
<rect class="back" width="100%" height="100%"/>
${panels.join("\n")}
</svg>
`;
}

function panelOf(figure: Figure, x: number, y: number): string {
  // what is below nothing has no bar, but its number
  const longest = Math.max(
    ...figure.values.map(({ median, spread }) => median * (1 + spread)),
    Number.MIN_VALUE,
  );
  const length = (value: number) => Math.max(0, (value / longest) * BAR).toFixed(1);
  const rows = figure.values.map(({ who, median, spread }, at) => {
    const top = HEAD + ROW * at;
    const middle = top + ROW / 2 - 2;
    const [from, to] = [1 - spread, 1 + spread].map((share) => NAMES + Number(length(median * share)));
    return `<text y="${top + 11}">${escaped(who)}</text>
<rect class="${who === OURS ? "bar ours" : "bar"}" x="${NAMES}" y="${top}" width="${length(median)}" height="${ROW - 4}"/>
<path class="spread" d="M${from} ${middle}H${to}"/>
<text class="number" x="${PANEL - 24}" y="${top + 11}">${shown(median)}</text>`;
  });
  return `<g transform="translate(${x} ${y})">
<text class="title" y="12">${escaped(figure.name)}</text>
<text class="unit" y="28">${escaped(`${figure.unit}, ${figure.better} is better`)}</text>
${rows.join("\n")}
</g>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

// `cargo xtask bench --only browser`: the rules of a form against those who have them too, called often and loaded once, and the bytes
// of the package against what else a page would load. `--only validate` is the first of it alone.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Browser, chromium } from "@playwright/test";
import { across, type Figure, type Goal, QUICK, ratio, report, type Value } from "../report.ts";
import { type Decoding, decode, PROFILES, type Times, visit } from "./loading.ts";
import { buildPage, local, PACKAGE, type Page, type Script, serve, WASM } from "./pages.ts";
import { CASES } from "./rules.ts";
import { SDKS, type Weight, weigh, weighEntry } from "./sdks.ts";
import { measure, type Rounds, type Taken } from "./throughput.ts";

const { CHROMIUM, CHROMIUM_FLAGS = "" } = process.env;
/** How often every page is visited on every profile. */
const VISITS = QUICK ? 3 : 21;
/** How often and how long the rules are called. */
const ROUNDS: Rounds = QUICK ? { rounds: 2, time: 60 } : { rounds: 6, time: 250 };

/** How many times as fast as a peer the rules are to be. */
const WANTED: [string, number][] = [
  ["valibot", 1],
  ["zod 4", 1.3],
];
/** How many times zod's the first verdict may take on the throttled profile. */
const SLOWEST = 1.5;

/** How a page has our rules. */
const OURS = `import { loadValidator } from "omise-linked-accounts/validate";`;

/** The page that calls everybody's rules. */
const THROUGHPUT: Script = {
  source: `
    ${OURS}
    import { measure } from ${local("throughput.ts")};
    globalThis.measure = async (rounds) => measure(await loadValidator(), rounds);
  `,
};

/** The form's page, by whose rules it is judged. */
const FORMS: Record<string, Script> = {
  ours: {
    source: `
      ${OURS}
      import { judge } from ${local("form.ts")};
      void judge(async () => (await loadValidator()).validateCreate);
    `,
  },
  "zod 4": form("zod"),
  "zod/mini": form("zod-mini"),
  valibot: form("valibot"),
  "hand-written": form("hand-written"),
};

/** A page with a module that is there, and waits to be decoded and compiled. */
const MODULES: Record<string, Script> = { client: module("client"), validate: module("validate") };

function module(name: string): Script {
  const file = (end: string) => JSON.stringify(join(WASM, `${name}${end}.js`));
  return {
    source: `
      import * as glue from ${file("")};
      import { bytes } from ${file("-bytes")};
      globalThis.decode = async () => {
        const start = performance.now();
        const source = await bytes();
        const decoded = performance.now();
        await WebAssembly.instantiate(source, { "./glue_bg.js": glue });
        return { decoded: decoded - start, compiled: performance.now() - decoded };
      };
    `,
  };
}

/** The page of a peer. */
function form(peer: string): Script {
  return {
    source: `
      import { judge } from ${local("form.ts")};
      import { validate } from ${local(`peers/${peer}.ts`)};
      void judge(() => validate);
    `,
  };
}

const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
const browser = await chromium.launch({
  ...(CHROMIUM && { executablePath: CHROMIUM }),
  args: CHROMIUM_FLAGS.split(" ").filter(Boolean),
});
try {
  await throughput(browser);
  if (only !== "validate") await loadingAndBytes(browser);
} finally {
  await browser.close();
}

/** The rules, called often, in Node and in Chromium. */
async function throughput(browser: Browser): Promise<void> {
  const { loadValidator } = await import(join(PACKAGE, "validate.js"));
  const measured = {
    Node: await measure(await loadValidator(), ROUNDS),
    Chromium: await inChromium(browser),
  };
  const figures: Figure[] = [];
  const goals: Goal[] = [];
  for (const [engine, taken] of Object.entries(measured)) {
    const cases = CASES.map(
      ({ name }): Figure => ({
        name: `${engine}: ${name}`,
        unit: "ns a call",
        better: "less",
        values: taken
          .filter((one) => one.case === name)
          .map(({ who, medians, p99s }) => across(who, medians, p99s)),
      }),
    );
    figures.push(...cases);
    for (const [peer, want] of WANTED) {
      // met where it is met in every case
      const got = Math.min(...cases.map((figure) => ratio(figure, peer) ?? Number.NaN));
      goals.push({
        goal: `${engine}: times as fast as ${peer}, in the worst case`,
        want,
        got,
        met: got >= want,
      });
    }
  }
  report("validate", figures, goals);
}

/** Measures in a page: its bundle is what Vite makes of it. */
async function inChromium(browser: Browser): Promise<Taken[]> {
  const { origin, close } = await serve(new Map([["throughput", await buildPage("throughput", THROUGHPUT)]]));
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${origin}/throughput/`);
    await page.waitForFunction("globalThis.measure");
    return await page.evaluate(`globalThis.measure(${JSON.stringify(ROUNDS)})`);
  } finally {
    await context.close();
    close();
  }
}

/** The form, loaded once on each profile; and what it and the package weigh. */
async function loadingAndBytes(browser: Browser): Promise<void> {
  const forms = await buildAll(FORMS);
  const figures = await loading(browser, forms);
  figures.push(...(await decoding(browser)));
  const throttled = figures.find(({ name }) => name === "first verdict, throttled");
  const got = 1 / ((throttled && ratio(throttled, "zod 4")) ?? Number.NaN);
  const goals: Goal[] = [
    { goal: "first verdict, throttled: times zod 4's, at most", want: SLOWEST, got, met: got <= SLOWEST },
  ];

  figures.push(
    ...weights(
      "form",
      [...forms].map(([who, page]) => [who, weigh(page)]),
    ),
  );
  const sdks = [...(await buildAll(SDKS))].flatMap(([who, page]): [string, Weight][] => [
    [who, weigh(page)],
    ...(who === "ours" ? [["ours, before a call", weighEntry(page)] as [string, Weight]] : []),
  ]);
  figures.push(...weights("SDK", sdks));
  report("browser", figures, goals);
}

/** Builds pages, each in a folder of its own. */
async function buildAll(scripts: Record<string, Script>): Promise<Map<string, Page>> {
  const pages = new Map<string, Page>();
  for (const [who, script] of Object.entries(scripts)) {
    pages.set(who, await buildPage(who.replaceAll(/\W+/g, "-"), script));
  }
  return pages;
}

/** Visits the forms in turn, in one order and then in the other. */
async function loading(browser: Browser, forms: Map<string, Page>): Promise<Figure[]> {
  const { origin, close } = await serve(forms);
  try {
    const figures: Figure[] = [];
    for (const [name, profile] of Object.entries(PROFILES)) {
      const times = new Map<string, Times[]>([...forms.keys()].map((who) => [who, []]));
      // the first round warms up the browser's own processes
      for (let round = 0; round <= VISITS; round++) {
        const order = [...times];
        if (round % 2 === 1) order.reverse();
        for (const [who, seen] of order) {
          const time = await visit(browser, `${origin}/${encodeURIComponent(who)}/`, profile);
          if (round > 0) seen.push(time);
        }
      }
      const figure = (what: string, time: (times: Times) => number): Figure => ({
        name: `${what}, ${name}`,
        unit: "ms",
        better: "less",
        values: [...times].map(([who, seen]) => ofVisits(who, seen.map(time))),
      });
      figures.push(figure("loaded and instantiated", ({ ready }) => ready));
      figures.push(figure("first verdict", ({ shown }) => shown));
    }
    return figures;
  } finally {
    close();
  }
}

/** Each module decoded and compiled, on each profile's processor. */
async function decoding(browser: Browser): Promise<Figure[]> {
  const { origin, close } = await serve(await buildAll(MODULES));
  try {
    const figures: Figure[] = [];
    for (const [name, profile] of Object.entries(PROFILES)) {
      const taken = new Map<string, Decoding[]>(Object.keys(MODULES).map((who) => [who, []]));
      for (let round = 0; round <= VISITS; round++) {
        for (const [who, seen] of taken) {
          const one = await decode(browser, `${origin}/${who}/`, profile);
          if (round > 0) seen.push(one);
        }
      }
      const figure = (what: string, time: (taken: Decoding) => number): Figure => ({
        name: `module ${what}, ${name}`,
        unit: "ms",
        better: "less",
        values: [...taken].map(([who, seen]) => ofVisits(who, seen.map(time))),
      });
      figures.push(
        figure("decoded", ({ decoded }) => decoded),
        figure("compiled", ({ compiled }) => compiled),
      );
    }
    return figures;
  } finally {
    close();
  }
}

/** Bytes over the wire, by either encoding. */
function weights(what: string, each: [string, Weight][]): Figure[] {
  return (["brotli", "gzip"] as const).map((encoding) => ({
    name: `${what}, ${encoding}`,
    unit: "bytes",
    better: "less",
    values: each.map(([who, weight]) => across(who, [weight[encoding]])),
  }));
}

/** Each visit is a round of its own. Of fewer than a hundred, the nearest to the 99th percentile is the slowest. */
function ofVisits(who: string, times: number[]): Value {
  return { ...across(who, times), p99: Math.max(...times) };
}

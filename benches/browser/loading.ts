// How long a customer waits for the first verdict on a form: from the start of the navigation, with nothing in any cache.

import type { Browser } from "@playwright/test";

/** What the page is loaded on. */
interface Profile {
  cpuSlowdown: number;
  /** As `Network.emulateNetworkConditions` takes it: milliseconds a request, bytes a second. */
  network?: { latency: number; downloadThroughput: number; uploadThroughput: number };
}

/** Of kilobits, as Lighthouse counts them for the browser. */
const bytes = (kilobits: number) => Math.floor((kilobits * 1_024) / 8);

/** The machine and network as they are, and as a customer with a cheap phone on the move has them. */
export const PROFILES: Record<string, Profile> = {
  fast: { cpuSlowdown: 1 },
  /**
   * `mobileSlow4G` of Lighthouse (GoogleChrome/lighthouse, core/config/constants.js at 7ac9485): 150 ms there and back,
   * 1.6 Mbit/s down, 750 kbit/s up, and a CPU four times slower. The browser throttles requests, not packets, so Lighthouse
   * gives it 3.75 times the latency, in place of what connecting would take, and 0.9 of the throughput.
   */
  throttled: {
    cpuSlowdown: 4,
    network: {
      latency: 150 * 3.75,
      downloadThroughput: bytes(1.6 * 1_024 * 0.9),
      uploadThroughput: bytes(750 * 0.9),
    },
  },
};

/** Milliseconds since the navigation started. */
export interface Times {
  /** The rules can be called. */
  ready: number;
  /** The first verdict is painted. */
  shown: number;
}

/** How long a page may take. */
const PATIENCE_MS = 20_000;

/** Milliseconds from a module inside JavaScript, already there, to one that runs. */
export interface Decoding {
  /** The text is bytes. */
  decoded: number;
  /** The bytes are compiled and instantiated. */
  compiled: number;
}

/** Decodes and compiles a page's module once, with the processor of a profile. */
export async function decode(browser: Browser, url: string, { cpuSlowdown }: Profile): Promise<Decoding> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForFunction("globalThis.decode");
    const devtools = await context.newCDPSession(page);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: cpuSlowdown });
    return await page.evaluate("globalThis.decode()");
  } finally {
    await context.close();
  }
}

/** Opens a page as somebody who was never there. */
export async function visit(browser: Browser, url: string, profile: Profile): Promise<Times> {
  // caches, connections and the page's process are a context's own
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    const devtools = await context.newCDPSession(page);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: profile.cpuSlowdown });
    if (profile.network) {
      await devtools.send("Network.enable");
      await devtools.send("Network.emulateNetworkConditions", { offline: false, ...profile.network });
    }
    await page.goto(url, { waitUntil: "commit" });
    const seen = await page.evaluate(async (patience) => {
      const painted = new Promise<number>((resolve) => {
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) resolve(entry.startTime);
        }).observe({ type: "element", buffered: true });
      });
      const never = new Promise<number>((resolve) => setTimeout(resolve, patience, -1));
      const shown = await Promise.race([painted, never]);
      const [ready] = performance.getEntriesByName("ready");
      return {
        ready: ready?.startTime ?? -1,
        shown,
        text: document.querySelector("output")?.textContent ?? "",
      };
    }, PATIENCE_MS);
    if (!/^citizen_id: .+$/.test(seen.text) || complaints.length > 0) {
      throw new Error(`${url}: shows ${JSON.stringify(seen.text)} ${complaints.join("; ")}`);
    }
    return { ready: seen.ready, shown: seen.shown };
  } finally {
    await context.close();
  }
}

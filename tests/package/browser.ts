// A page of the shop's, in a real browser, under the policy that the package asks for.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import * as http from "node:http";
import { extname, join, normalize } from "node:path";
import { type Browser, chromium } from "@playwright/test";
import { serve } from "./worker.ts";

// `cargo xtask test --only package` names the browser; by hand: CHROMIUM=/usr/bin/chromium.
const { CHROMIUM, CHROMIUM_FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic" } = process.env;

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
};

/** The policy of the README, for a shop whose Worker is at an origin; `also` is what a framework's own scripts need. */
export const policy = (worker: string, also = "") =>
  `default-src 'self'; script-src 'self' 'wasm-unsafe-eval'${also}; connect-src 'self' ${worker}`;

export function launch(): Promise<Browser> {
  return chromium.launch({ ...(CHROMIUM && { executablePath: CHROMIUM }), args: CHROMIUM_FLAGS.split(" ") });
}

/** Serves a folder's files under a policy, but for those that `instead` answers. */
export function serveFolder(
  folder: string,
  contentSecurityPolicy: string,
  instead: (path: string, response: http.ServerResponse) => boolean = () => false,
) {
  return serve(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://shop.example").pathname;
    if (instead(path, response)) return;
    const file = join(folder, normalize(path.endsWith("/") ? `${path}index.html` : path));
    try {
      const bytes = await readFile(file);
      response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
      response.setHeader("Content-Security-Policy", contentSecurityPolicy);
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
}

/** Serves what another server answers, under a policy. */
export function serveBehind(origin: string, contentSecurityPolicy: string) {
  return serve((request, response) => {
    const { url = "/", method, headers } = request;
    const onward = http.request(new URL(url, origin), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, {
        ...answer.headers,
        "Content-Security-Policy": contentSecurityPolicy,
      });
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
}

/**
 * Opens a page and gives what its script left in `<html data-came>`, as JSON. A word of complaint in the console is a failure, and so is
 * a request to anybody but the shop and its Worker.
 */
export async function open(browser: Browser, page: URL | string, worker: string): Promise<unknown> {
  const shop = new URL(page).origin;
  const context = await browser.newContext();
  const complaints: string[] = [];
  context.on("console", (message) => {
    // the browser's own wish, which a shop need not grant
    if (message.location().url.endsWith("/favicon.ico")) return;
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (/^https?:$/.test(protocol) && origin !== shop && origin !== worker)
      complaints.push(`asked ${origin}`);
  });
  try {
    const tab = await context.newPage();
    await tab.goto(String(page));
    const came = await Promise.race([
      tab.waitForFunction(() => document.documentElement.dataset.came, undefined, { timeout: 60_000 }),
      context.waitForEvent("weberror", { timeout: 60_000 }),
    ]).catch(() => undefined);
    assert.deepEqual(complaints, []);
    assert.ok(came && "jsonValue" in came, "the page's script came to no end");
    return JSON.parse((await came.jsonValue()) ?? "");
  } finally {
    await context.close();
  }
}

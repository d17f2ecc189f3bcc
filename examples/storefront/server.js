// The shop's backend: a demo sign-in, the pages, and the one thing that every shop needs to link accounts:
// POST /token, which mints a short-lived session token for the signed-in customer.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createAdaptorServer } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { deleteCookie, getSignedCookie, setSignedCookie } from "hono/cookie";
import { secureHeaders } from "hono/secure-headers";
import { SignJWT } from "jose";

/**
 * @typedef {object} Session How the Worker knows a token of this shop.
 * @property {string} alg Only HS256 here.
 * @property {string} secret Its UTF-8 bytes are the key.
 * @property {string} iss
 * @property {string} aud
 */

/** @type {Map<unknown, string>} */
const customers = new Map([
  ["customer-malee", "Malee"],
  ["customer-somchai", "Somchai"],
]);

// Cookies are shared by all ports of a host, so the name says whose it is.
const COOKIE = "baan_cha_kratai_session";

/** @param {string} path */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * The page's CSP refuses inline scripts; this lets its import map through, and nothing else.
 * @param {string} page
 */
function importMapHash(page) {
  const text = readFileSync(here(`public/${page}`), "utf8").match(
    /<script type="importmap">(.*)<\/script>/,
  )?.[1];
  if (text === undefined) throw new Error(`public/${page} has no import map on one line`);
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/**
 * The JSON object of a request; what is not one reads as empty, and fails the route's own check.
 * @param {import("hono").Context} c
 * @returns {Promise<Record<string, unknown>>}
 */
async function readObject(c) {
  return Object(await c.req.json().catch(() => null));
}

/**
 * @param {{ port: number, workerUrl: string, session: Session }} options
 * @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function startStorefront({ port, workerUrl, session }) {
  if (session.alg !== "HS256") throw new Error(`the storefront mints HS256 tokens, not ${session.alg}`);
  const endpoint = new URL(workerUrl).origin;
  const tokenKey = new TextEncoder().encode(session.secret);
  const cookieSecret = randomBytes(32).toString("base64url");
  let url = "";

  /** @param {import("hono").Context} c */
  const signedIn = async (c) => {
    const customer = await getSignedCookie(c, cookieSecret, COOKIE);
    return customer && customers.has(customer) ? customer : null;
  };

  const app = new Hono();

  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        scriptSrc: [
          "'self'",
          "'wasm-unsafe-eval'",
          ...new Set(["index.html", "return.html"].map(importMapHash)),
        ],
        connectSrc: ["'self'", endpoint],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        objectSrc: ["'none'"],
      },
      xFrameOptions: "DENY",
      strictTransportSecurity: false, // loopback http; a real shop is served over https and sends it
    }),
  );

  app.use(async (c, next) => {
    // One origin only: the Worker's CORS and return-URI lists are exact, so `localhost` would fail later and
    // less clearly. It also keeps out a foreign name that was pointed at this machine.
    const { origin, pathname, search } = new URL(c.req.url);
    if (origin !== url) return c.redirect(url + pathname + search);

    // No form on another site can send JSON without asking first, and nothing here answers such a question.
    const json = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase() === "application/json";
    if (!["GET", "HEAD"].includes(c.req.method) && !json)
      return c.json({ error: "send application/json" }, 415);

    await next();
    // Files are revalidated, so that an edit shows on reload; answers about a person are never kept.
    c.header("Cache-Control", c.res.headers.has("Last-Modified") ? "no-cache" : "no-store");
  });
  app.use(bodyLimit({ maxSize: 4096, onError: (c) => c.json({ error: "too large" }, 413) }));

  app.get("/config.json", (c) => c.json({ endpoint }));

  app.get("/session", async (c) => {
    const id = await signedIn(c);
    return c.json({ customer: id && { id, name: customers.get(id) } });
  });
  app.post("/session", async (c) => {
    const { customer: id } = await readObject(c);
    const name = customers.get(id);
    if (name === undefined) return c.json({ error: "unknown customer" }, 400);
    // Not `secure`: the demo runs on loopback http. A real shop sets it.
    await setSignedCookie(c, COOKIE, String(id), cookieSecret, {
      path: "/",
      httpOnly: true,
      sameSite: "Lax",
    });
    return c.json({ customer: { id, name } });
  });
  app.delete("/session", (c) => {
    deleteCookie(c, COOKIE, { path: "/" });
    return c.body(null, 204);
  });

  app.post("/token", async (c) => {
    const customer = await signedIn(c);
    if (!customer) return c.json({ error: "not signed in" }, 401);
    const token = await new SignJWT()
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setIssuer(session.iss)
      .setAudience(session.aud)
      .setSubject(customer)
      .setIssuedAt()
      .setExpirationTime("5 minutes")
      .sign(tokenKey);
    return c.json({ token });
  });

  // What a bundler would do for a real shop: the installed packages, under one path each.
  for (const [name, folder] of [
    ["omise-linked-accounts", "omise-linked-accounts"],
    ["anuphan", "@fontsource-variable/anuphan"],
  ]) {
    const rewriteRequestPath = (/** @type {string} */ path) => path.slice(`/vendor/${name}`.length);
    app.get(`/vendor/${name}/*`, serveStatic({ root: here(`node_modules/${folder}`), rewriteRequestPath }));
  }
  app.get("/return", serveStatic({ path: here("public/return.html") }));
  app.get("/*", serveStatic({ root: here("public") }));

  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(port, "127.0.0.1");
  await once(server, "listening"); // rejects where the port is taken
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  url = new URL(`http://127.0.0.1:${address.port}`).origin;

  return {
    url,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  };
}

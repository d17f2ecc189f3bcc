// Who is calling: the session token, by jose.

import { env } from "cloudflare:workers";
import { createMiddleware } from "hono/factory";
import { jwtVerify } from "jose";
import { Refusal } from "./refusal.ts";

const SKEW = 60;
const MAX_LIFETIME = 3_600;

const secret = new TextEncoder().encode(env.SESSION_SECRET);

/** Sets `subject`, or refuses. */
export const session = createMiddleware<{ Variables: { subject: string } }>(async (c, next) => {
  const token = /^Bearer (\S+)$/i.exec(c.req.header("Authorization") ?? "")?.[1];
  if (!token) throw new Refusal("unauthenticated");
  c.set("subject", await subjectOf(token));
  await next();
});

async function subjectOf(token: string): Promise<string> {
  const options = {
    algorithms: ["HS256"],
    issuer: env.SESSION_ISSUER,
    audience: env.SESSION_AUDIENCE,
    clockTolerance: SKEW,
    requiredClaims: ["exp", "sub"],
  };
  const { payload } = await jwtVerify(token, secret, options).catch(() => {
    throw new Refusal("unauthenticated");
  });
  const { sub = "", exp = 0 } = payload;
  const tooLong = exp > Date.now() / 1_000 + MAX_LIFETIME + SKEW;
  if (sub === "" || sub.length > 255 || tooLong) throw new Refusal("unauthenticated");
  return sub;
}

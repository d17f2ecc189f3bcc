// Next.js writes scripts into its pages. Each gets the nonce that Next.js finds in the request's policy.

import { NextResponse } from "next/server";

export function proxy(request) {
  if (!process.env.POLICY) return NextResponse.next();
  const nonce = btoa(crypto.randomUUID());
  const policy = process.env.POLICY.replace("'wasm-unsafe-eval'", `'wasm-unsafe-eval' 'nonce-${nonce}'`);
  const headers = new Headers(request.headers);
  headers.set("Content-Security-Policy", policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("Content-Security-Policy", policy);
  return response;
}

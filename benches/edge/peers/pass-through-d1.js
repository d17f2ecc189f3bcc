// pass-through.js after one read of D1, by the primary key: what it costs to look up whose an account is, though nothing comes of it.

export default {
  /**
   * @param {Request} request
   * @param {{ OMISE_API_URL: string, OMISE_SECRET_KEY: string, DB: import("./hono/env.ts").D1Database }} env
   */
  async fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    // a path without an id is looked up too, and not found
    const id = pathname.split("/").pop();
    await env.DB.prepare("SELECT owner FROM links WHERE id = ?").bind(id).first();
    const forwarded = new Request(env.OMISE_API_URL + pathname + search, request);
    forwarded.headers.set("Authorization", `Basic ${btoa(`${env.OMISE_SECRET_KEY}:`)}`);
    return fetch(forwarded);
  },
};

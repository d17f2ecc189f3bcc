// A server of Bun's, which bundles its page by itself.

import page from "./index.html";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  routes: { "/": page },
  development: process.env.NODE_ENV !== "production",
});
console.log(server.url.href);

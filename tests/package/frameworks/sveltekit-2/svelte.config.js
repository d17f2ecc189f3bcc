import cloudflare from "@sveltejs/adapter-cloudflare";
import node from "@sveltejs/adapter-node";

// the adapter is all that changes from one host to the other
export default { kit: { adapter: process.env.ADAPTER === "cloudflare" ? cloudflare() : node() } };

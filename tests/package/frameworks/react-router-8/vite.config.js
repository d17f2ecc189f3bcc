import { reactRouter } from "@react-router/dev/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [reactRouter()],
  // the server imports the package from node_modules unless the test asks for it inside the bundle
  ssr: { noExternal: process.env.BUNDLED === "1" ? ["omise-linked-accounts"] : [] },
});

import { defineConfig } from "vite";

export default defineConfig({
  build: {
    lib: {
      entry: "library.js",
      name: "ShopAccounts",
      formats: ["es", "umd"],
      fileName: (format) => `shop-accounts.${format}.js`,
    },
  },
});

const cloudflare = { preset: "cloudflare_module", cloudflare: { deployConfig: true, nodeCompat: true } };

export default defineNuxtConfig({
  compatibilityDate: "2026-04-01",
  $env: {
    cloudflare: { nitro: cloudflare },
    wasm: { nitro: { ...cloudflare, experimental: { wasm: true } } },
  },
});

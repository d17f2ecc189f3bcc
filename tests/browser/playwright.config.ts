import { defineConfig, devices } from "@playwright/test";

// `cargo xtask test --only browser` names the browser; by hand: CHROMIUM=/usr/bin/chromium.
const { CHROMIUM, CHROMIUM_FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic" } = process.env;

export default defineConfig({
  testDir: ".",
  testMatch: "*.spec.ts",
  outputDir: "../../target/playwright",
  // Each has a stack and a browser of its own. Journeys wait more than they compute.
  workers: 3,
  fullyParallel: false,
  // A journey that passes on the second try is a journey that fails.
  retries: 0,
  forbidOnly: true,
  reporter: "list",
  timeout: 30_000,
  expect: { timeout: 15_000 },
  use: {
    locale: "en-GB",
    timezoneId: "Asia/Bangkok",
    trace: "off",
    launchOptions: {
      ...(CHROMIUM && { executablePath: CHROMIUM }),
      args: CHROMIUM_FLAGS.split(" "),
      // Playwright takes it away, and every phone has it.
      ignoreDefaultArgs: ["--disable-back-forward-cache"],
    },
  },
  projects: [
    { name: "desktop", use: { ...devices["Desktop Chrome"], viewport: { width: 1280, height: 800 } } },
  ],
});

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/*/test/**/*.test.ts",
      "examples/*/src/**/*.test.ts",
      "bench/src/**/*.test.ts",
    ],
    // npm run test:long draws many more random cases
    testTimeout: process.env.SOTTO_LONG ? 1_800_000 : 60_000,
    pool: "forks",
  },
});

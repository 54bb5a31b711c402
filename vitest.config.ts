import { defineConfig } from "vitest/config";

/** No test asserts a time; this only ends what hangs, also on a machine that is many times slower. */
const HANG_MS = 180_000;

/** What differs between versions of Node.js: WebAssembly, randomness, TLS, processes. `npm run test:smoke` runs these. */
const SMOKE = [
  "packages/core/src/ring/*.test.ts",
  "packages/core/src/random/*.test.ts",
  "packages/core/src/interpret/take-once.test.ts",
  "packages/core/src/nets/gru.test.ts",
  "packages/wire/src/{frame,link}.test.ts",
  "packages/server/src/{certificates,cluster}.test.ts",
  "packages/cli/src/config.test.ts",
];

/** Tests with processes, sockets and deadlines, whose order of events nobody can fix. */
const PARTIES = [
  "packages/{cli,server}/src/**/*.test.ts",
  "apps/*/src/**/*.test.ts",
  "bench/src/**/*.test.ts",
];
/** What is drawn at random, and whether randomness is used twice, is not tried again: another run would hide what was found. */
const ONCE = "**/{*.fuzz,take-once,crash}.test.ts";

const REST = [
  "packages/{core,model,wire,client}/src/**/*.test.ts",
  "packages/*/test/**/*.test.ts",
  "examples/*/src/**/*.test.ts",
  "apps/*/page/src/**/*.test.ts",
  "experiments/src/**/*.test.ts",
  "docs/site/src/**/*.test.ts",
];

/** A test of parties that fails in CI is tried once more, and marked in the report: that is a bug to mend (CONTRIBUTING.md). */
const RETRIES = process.env.CI ? 1 : 0;

export default defineConfig({
  test: {
    projects: process.env.SOTTO_SMOKE
      ? [{ extends: true, test: { name: "smoke", include: SMOKE } }]
      : [
          { extends: true, test: { name: "parties", include: PARTIES, exclude: [ONCE], retry: RETRIES } },
          { extends: true, test: { name: "once", include: [`packages/{cli,server}/src/${ONCE}`] } },
          { extends: true, test: { name: "rest", include: REST } },
        ],
    // npm run test:long draws many more random cases
    testTimeout: process.env.SOTTO_LONG ? 1_800_000 : HANG_MS,
    hookTimeout: HANG_MS,
    expect: { poll: { timeout: HANG_MS / 2 } },
    pool: "forks",
    // half of the time went into starting a process for each file and loading the same modules in it; a file puts back what
    // it replaces
    isolate: false,
    maxWorkers: "100%",
  },
});

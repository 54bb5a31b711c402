/** The bundle for browsers: how large it is, and that it needs nothing but a browser. */
import { gzipSync } from "node:zlib";
import { build, type Rollup } from "vite";
import { beforeAll, describe, expect, it } from "vitest";

/** With the kernels, without models. */
const MOST_BYTES = 60_000;
const ENTRY = "virtual:entry";

async function bundle(code: string): Promise<Rollup.OutputChunk[]> {
  const built = await build({
    configFile: false,
    // vite's own remarks on comments in libraries
    logLevel: "error",
    root: new URL("..", import.meta.url).pathname,
    build: {
      write: false,
      modulePreload: false,
      rollupOptions: { input: ENTRY, preserveEntrySignatures: "strict" },
    },
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === ENTRY ? `\0${ENTRY}` : undefined),
        load: (id) => (id === `\0${ENTRY}` ? code : undefined),
      },
    ],
  });
  const { output } = built as Rollup.RollupOutput;
  return output.filter((part) => part.type === "chunk");
}

describe("the client in a bundle for browsers", () => {
  let chunks: Rollup.OutputChunk[];
  beforeAll(async () => {
    chunks = await bundle('export * from "@sotto/client";');
  });

  it("takes less than 60 kB gzipped, with all of its interface", () => {
    expect(chunks.flatMap((c) => c.exports)).toEqual(expect.arrayContaining(["connect", "deploy", "Client"]));
    const bytes = chunks.reduce((sum, { code }) => sum + gzipSync(code).length, 0);
    expect(bytes).toBeGreaterThan(20_000);
    expect(bytes).toBeLessThan(MOST_BYTES);
  });

  it("imports nothing of Node, and nothing that a bundler has left out", () => {
    expect(chunks.flatMap((c) => [...c.imports, ...c.dynamicImports])).toEqual([]);
    const modules = chunks.flatMap((c) => Object.keys(c.modules));
    expect(modules.some((id) => id.includes("packages/core/dist/ring/kernels.wasm.js"))).toBe(true);
    // vite puts an empty module in the place of one of Node's
    expect(modules.filter((id) => /node:|__vite-browser-external|\/dist\/node\/|\/ws\//.test(id))).toEqual(
      [],
    );
  });
});

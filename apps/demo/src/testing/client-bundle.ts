import { build, type Rollup } from "vite";

/** What an application would ship, as one script. */
export async function clientBundle(): Promise<string> {
  const id = "virtual:client";
  const built = (await build({
    configFile: false,
    logLevel: "error",
    build: { write: false, modulePreload: false, rollupOptions: { input: id } },
    plugins: [
      {
        name: "client",
        resolveId: (asked) => (asked === id ? id : undefined),
        load: (asked) =>
          asked === id ? 'import * as sotto from "@sotto/client"; globalThis.sotto = sotto;' : undefined,
      },
    ],
  })) as Rollup.RollupOutput;
  return built.output[0].code;
}

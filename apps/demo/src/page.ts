/** The page: built by vite, and served by it. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServerAddress } from "@sotto/client";
import { SottoError } from "@sotto/core";
import { build, type InlineConfig, type PreviewServer, preview } from "vite";

export const HOST = "localhost";

/** What the page asks for first: where the servers are, and the token to show them. */
export interface PageCluster {
  servers: readonly [ServerAddress, ServerAddress];
  token: string;
}

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const BUILT = folder("../dist/page");

const config: InlineConfig = {
  configFile: false,
  logLevel: "warn",
  root: folder("../page"),
  assetsInclude: ["**/*.onnx"],
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: { outDir: BUILT, emptyOutDir: true, target: "es2022", modulePreload: false },
};

/** What the page is made of. */
const SOURCES = ["../page", "../../../packages/client/dist", "../../../packages/core/dist"].map(folder);

/** Builds the page, unless it is newer than what it is made of. */
export async function buildPage(): Promise<void> {
  const made = statSync(`${BUILT}/index.html`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (SOURCES.some((source) => newest(source) > made)) await build(config);
}

function newest(directory: string): number {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return Math.max(...names.map((name) => statSync(join(directory, name)).mtimeMs));
}

export interface ServedPage {
  url: string;
  close(): Promise<void>;
}

/**
 * Serves the built page.
 * @param port 0 for any.
 * @param cluster for the page, once there is one; until then it is told to wait.
 * @throws SottoError conflict for a port that is in use.
 */
export async function servePage(port: number, cluster: () => PageCluster | undefined): Promise<ServedPage> {
  let server: PreviewServer;
  try {
    server = await preview({
      ...config,
      preview: { host: HOST, port, strictPort: port !== 0 },
      plugins: [
        {
          name: "cluster",
          configurePreviewServer({ middlewares }) {
            middlewares.use("/cluster.json", (_request, response) => {
              const known = cluster();
              response.statusCode = known ? 200 : 503;
              response.setHeader("content-type", "application/json");
              response.setHeader("cache-control", "no-store");
              response.end(JSON.stringify(known ?? { waiting: true }));
            });
          },
        },
      ],
    });
  } catch (cause) {
    const { message } = cause as Error;
    throw new SottoError("conflict", `the page cannot be served: ${message}; --port takes another port`, {
      cause,
    });
  }
  const address = server.httpServer.address();
  if (address === null || typeof address === "string") throw new SottoError("internal", "no port");
  return { url: `http://${HOST}:${address.port}`, close: () => server.close() };
}

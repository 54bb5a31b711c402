/** The page: built by vite, and served by it. */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServerAddress } from "@sotto/client";
import { SottoError } from "@sotto/core";
import { build, type InlineConfig, type Plugin, type PreviewServer, preview } from "vite";

export const HOST = "localhost";

/** What the page asks for first: where the servers are, and the token to show them. */
export interface PageCluster {
  servers: readonly [ServerAddress, ServerAddress];
  token: string;
}

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const BUILT = folder("../dist/page");
const PAGE = folder("../page");
/** Lists what the built page is made of. */
const INPUTS = folder("../dist/page-inputs.json");
/** How it is built. */
const CONFIGURATION = fileURLToPath(import.meta.url);

const inputs: Plugin = {
  name: "inputs",
  apply: "build",
  writeBundle() {
    const files = [...this.getModuleIds()].map((id) => id.replace(/^\0/, "").replace(/\?.*$/, ""));
    writeFileSync(INPUTS, JSON.stringify([...new Set(files)].filter((file) => existsSync(file)).sort()));
  },
};

const config: InlineConfig = {
  configFile: false,
  logLevel: "warn",
  root: PAGE,
  assetsInclude: ["**/*.onnx"],
  plugins: [inputs],
  // the same page, whoever builds it: tests have a NODE_ENV of their own
  esbuild: { jsx: "automatic", jsxDev: false, jsxImportSource: "preact" },
  define: { "process.env.NODE_ENV": '"production"' },
  build: {
    outDir: BUILT,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    rollupOptions: {
      onLog(level, log, handle) {
        // comments of zod's, which are dropped with all others
        if (log.code !== "INVALID_ANNOTATION") handle(level, log);
      },
    },
  },
};

/** Files that the built page is made of, from the page's own to those of the packages that it uses; none before it is built. */
export function pageInputs(list = INPUTS): string[] {
  return existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : [];
}

/** Builds the page, unless it is newer than what it is made of. */
export async function buildPage(): Promise<void> {
  if (!upToDate()) await build(config);
}

/** Whether a page is built, later than its inputs and its configuration were changed. */
export function upToDate(built = BUILT, list = INPUTS, configuration = CONFIGURATION): boolean {
  if (!existsSync(join(built, "index.html")) || !existsSync(list)) return false;
  const made = modified(list);
  const files = pageInputs(list);
  // a folder changes with what is added to it
  const from = [...files, ...files.map(dirname), PAGE, configuration];
  return from.every((path) => modified(path) <= made);
}

/** Infinite for what is gone. */
function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
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
              // no error: the page asks again
              response.statusCode = known ? 200 : 202;
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

/** Two servers on one data folder. That the folder is free after kill -9 is with the lock (wire) and the crash test (cli). */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DATA_LOCK, lockData } from "./data-lock.js";
import { startServer } from "./party/start.js";
import { makeTestFolder, TestCluster } from "./testing/cluster.js";

let folder: Awaited<ReturnType<typeof makeTestFolder>>;
let cluster: TestCluster;
beforeAll(async () => {
  folder = await makeTestFolder();
  cluster = await TestCluster.start(folder.dir);
});
afterAll(async () => {
  await cluster.stop();
  folder.remove();
});
const quiet = { log: pino({ level: "silent" }) };
const config = () => ({ ...cluster.serverConfig(1), http: { host: "127.0.0.1", port: 0 } });

it("the second is refused, also as a worker, and takes nothing from the first, whose end makes room", async () => {
  const refused = {
    code: "conflict",
    message: expect.stringMatching(
      new RegExp(`data-1 \\(process ${process.pid}\\); end that one first, or name another`),
    ),
  };
  await expect(startServer(config(), quiet)).rejects.toMatchObject(refused);
  const workers = { nats: { servers: ["127.0.0.1:1"] } };
  await expect(startServer({ ...config(), workers }, quiet)).rejects.toMatchObject(refused);
  expect(existsSync(join(folder.dir, "data-1", DATA_LOCK))).toBe(true);
  const first = cluster.servers[1]!;
  await cluster.stopServer(1);
  expect(readdirSync(join(folder.dir, "data-1"))).toEqual([]);
  await cluster.startServer(1);
  // closed again, the first one takes nothing from its successor
  await first.close();
  await expect(startServer(config(), quiet)).rejects.toMatchObject(refused);
});

it("a server that cannot start leaves the folder free", async () => {
  await cluster.stopServer(1);
  const tls = { ...config().tls, key: join(folder.dir, "none.key") };
  await expect(startServer({ ...config(), tls }, quiet)).rejects.toMatchObject({ code: "bad-config" });
  await cluster.startServer(1);
});

it("where the file cannot be made, a warning tells, and the server starts", () => {
  let text = "";
  const log = pino({ level: "trace" }, { write: (line: string) => (text += line) });
  const data = join(folder.dir, "odd");
  // a folder in the file's place, as a stand-in for a full disk
  mkdirSync(join(data, DATA_LOCK, "x"), { recursive: true });
  lockData(data, log)();
  expect(JSON.parse(text)).toMatchObject({ level: 40, file: join(data, DATA_LOCK) });
});

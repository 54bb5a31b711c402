/** `sotto up` where it is disturbed: Ctrl-C while it starts, and a NATS server that is killed. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FILES, portsFrom, writeCertificates, writeCluster } from "./cluster/files.js";
import { natsServer } from "./cluster/nats.js";
import { CAN_SEE_PROCESSES, freePorts, type Running, until, Workshop } from "./testing/sotto.js";

/** Nothing takes so long; a slow machine may take a while. */
const HANG_MS = 300_000;
const PARTIES = ["dealer", "server-0", "server-1"];

let shop: Workshop;
beforeEach(() => {
  shop = new Workshop();
});
afterEach(() => shop.close());

/** Whoever reads the file waits: a pipe without a writer takes its place. */
function holdUp(path: string): void {
  rmSync(path);
  execFileSync("mkfifo", [path]);
}

function natsOf(party: string): number {
  const file = shop.path("cluster", `nats-${party}.pid`);
  return existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
}

function runs(pid: number): boolean {
  // a process that has ended and is not yet waited for does not run
  const stat = `/proc/${pid}/stat`;
  try {
    return !/\) [ZX] /.test(readFileSync(stat, "latin1"));
  } catch {
    return false;
  }
}

/** As a terminal does it: all of them get the signal. */
async function ctrlC(running: Running, ...others: number[]) {
  for (const pid of [running.process.pid!, ...shop.parties(), ...others]) {
    try {
      process.kill(pid, "SIGINT");
    } catch {
      // it has ended: the first one ends the others
    }
  }
  return running.finished;
}

describe.skipIf(!CAN_SEE_PROCESSES)("Ctrl-C while a cluster starts", () => {
  it(
    "ends it with 130 and no word, and leaves no process",
    async () => {
      const port = await freePorts();
      await writeCluster(shop.path("cluster"), portsFrom(port));
      const before = readdirSync(shop.path("cluster"));
      holdUp(shop.path("cluster", FILES.dealer));
      const up = shop.start(["up", "cluster"]);
      await until(() => shop.parties().length === PARTIES.length, "the parties", HANG_MS);
      const { code, stdout, stderr } = await ctrlC(up);
      expect([code, stdout, stderr]).toEqual([130, "", ""]);
      await until(() => shop.parties().length === 0, "the parties' end", HANG_MS);
      // but for logs, nothing more than before: the next start finds all its files, and no lock
      expect(readdirSync(shop.path("cluster")).filter((name) => !/\.log$|^data-/.test(name))).toEqual(before);
    },
    HANG_MS,
  );

  it.skipIf(!natsServer() && !process.env.CI)(
    "with workers ends it with 130 and no word, and leaves no process",
    async () => {
      await writeCertificates(shop.path("cluster"));
      holdUp(shop.path("cluster", "certificates", "dealer.pem"));
      const up = shop.start(["up", "cluster", "--workers", "1", "--port", String(await freePorts())]);
      // NATS is there, and the first worker waits for its certificate
      await until(() => shop.parties().length === 1, "the first worker", HANG_MS);
      const nats = PARTIES.map(natsOf);
      expect(nats.every(runs)).toBe(true);
      const { code, stdout, stderr } = await ctrlC(up, ...nats);
      expect([code, stdout, stderr]).toEqual([130, "", ""]);
      await until(() => shop.parties().length === 0 && !nats.some(runs), "the end of all processes", HANG_MS);
    },
    HANG_MS,
  );
});

describe.skipIf(!CAN_SEE_PROCESSES || (!natsServer() && !process.env.CI))("sotto up --workers 1", () => {
  it(
    "starts a NATS server again that was killed, and goes on",
    async () => {
      const up = shop.start(["up", "cluster", "--workers", "1", "--port", String(await freePorts())]);
      await until(() => up.stdout.includes("Ctrl-C ends it") || !runs(up.process.pid!), "the start", HANG_MS);
      expect(up.stderr).toBe("");
      const killed = PARTIES.map(natsOf);
      for (const pid of killed) process.kill(pid, "SIGKILL");
      for (const party of PARTIES) {
        const said = `${party}'s nats-server ended unexpectedly, and is started again; the others go on`;
        await until(() => up.stderr.includes(said), said, HANG_MS);
        await until(() => runs(natsOf(party)) && !killed.includes(natsOf(party)), `${party}'s NATS`, HANG_MS);
      }
      // a deployment and an inference need all three
      const model = shop.model("gru", { hidden: 4, inputSize: 3, resetAfter: true });
      const x = shop.array("x", [2, 1, 3], (i) => Math.sin(i));
      const at = (file: string) => ["--name", "m", "--cluster", shop.path("cluster", file)];
      for (const args of [
        ["deploy", model, ...at(FILES.owner)],
        ["infer", ...at(FILES.client), "--input", x],
      ]) {
        let last = await shop.sotto(...args);
        // workers come back to their NATS in their own time
        for (const end = Date.now() + HANG_MS / 2; last.code !== 0 && Date.now() < end; )
          last = await shop.sotto(...args);
        expect(last).toMatchObject({ code: 0 });
      }
      up.process.kill("SIGINT");
      expect((await up.finished).code).toBe(0);
      expect([...killed, ...PARTIES.map(natsOf)].some(runs)).toBe(false);
    },
    HANG_MS,
  );
});

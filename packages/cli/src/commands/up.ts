/** `sotto up DIR`: a cluster on this machine, for trying things out. */
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { called, shellWord } from "../called.js";
import { atExit, exitAs, untilSignal } from "../cluster/cleanup.js";
import {
  FILES,
  HOST,
  holdsCluster,
  type Ports,
  portsFrom,
  refuseBusyPorts,
  type WrittenCluster,
  writeCluster,
} from "../cluster/files.js";
import { clusterIn, type LocalCluster } from "../cluster/local.js";
import { lockCluster, refuseRunning } from "../cluster/lock.js";
import { refusePlace } from "../cluster/place.js";
import { WorkerCluster } from "../cluster/workers.js";
import { basePort, directory, workerCount } from "../options.js";
import { note, print } from "../terminal.js";

const DEFAULT_PORT = 7450;

export function addUp(program: Command): void {
  program
    .command("up")
    .summary("write a cluster on this machine, and run it until Ctrl-C")
    .description(
      "write the configuration and certificates of a cluster on this machine, and run it until Ctrl-C",
    )
    .argument("<dir>", "directory to write to; a cluster that is there already is used as it is", directory)
    .option("--port <base>", `first of seven ports in a row (default: ${DEFAULT_PORT})`, basePort)
    .option(
      "--workers <n>",
      "so many workers of each party, with three NATS servers (docs/scaling.md)",
      workerCount,
    )
    .addHelpText(
      "after",
      "\nExample:\n  sotto up cluster\n  sotto deploy model.onnx --name m --cluster cluster/cluster-owner.yaml",
    )
    .action(async (dir: string, { port, workers }: { port?: number; workers?: number }) => {
      const path = resolve(dir);
      refusePlace(dir);
      if (workers !== undefined) return upWithWorkers(dir, portsFrom(port ?? DEFAULT_PORT), workers);
      refuseRunning(path);
      const found = await holdsCluster(path);
      if (found && port !== undefined) {
        note(`${dir} has a configuration already; it is used, and --port is not`);
      }
      const written = found ? undefined : await writeCluster(path, portsFrom(port ?? DEFAULT_PORT));
      const stopped = untilSignal();
      const { cluster, unlock } = await unless(stopped, firstStart(path, written));
      const { ports } = cluster;
      const sotto = called();
      const at = (...names: string[]) => shellWord(join(dir, ...names));
      await print(
        [
          `wrote ${written ? written.names.map((name) => join(dir, name)).join(", ") : "nothing: all files are there"}`,
          `dealer    ${HOST}:${ports.dealer} (TLS)`,
          `server 0  https://${HOST}:${ports.http[0]}, for server 1 ${HOST}:${ports.peer} (TLS)`,
          `server 1  https://${HOST}:${ports.http[1]}`,
          "",
          "In another terminal, as the model's owner, as a client, and to watch it:",
          `  ${sotto} deploy MODEL.onnx --name NAME --cluster ${at(FILES.owner)}`,
          `  ${sotto} infer --name NAME --cluster ${at(FILES.client)} --input x.npy`,
          `  ${sotto} top ${shellWord(dir)}`,
          `  ${sotto} token create NAME ${FILES.tokens.map((file) => `--file ${at(file)}`).join(" ")}`,
          `Logs are in ${join(dir, "dealer.log")}, server-0.log and server-1.log.`,
          "Ctrl-C ends the cluster; the same command starts it again, with the models that were deployed.",
        ].join("\n"),
      );
      try {
        await cluster.guard(stopped);
      } catch (error) {
        note("the whole cluster ends when one of its parties does; the same command starts it again");
        throw error;
      } finally {
        await cluster.close();
        unlock();
      }
    });
}

async function upWithWorkers(dir: string, ports: Ports, workers: number): Promise<void> {
  const path = resolve(dir);
  refuseRunning(path);
  await refuseBusyPorts(ports);
  const { http, metrics } = ports;
  const stopped = untilSignal();
  const cluster = await unless(stopped, WorkerCluster.start(path, { workers, http, metrics }));
  try {
    await print(
      [
        `${workers} ${workers === 1 ? "worker" : "workers"} each of dealer, server 0 and server 1, and a NATS server for each of the three`,
        ...http.map((port, i) => `server ${i}  https://${HOST}:${port} (its front)`),
        `Use it with ${join(dir, FILES.owner)} and ${join(dir, FILES.client)}; watch it: ${called()} top ${shellWord(dir)}`,
        `Logs are in ${dir}. Ctrl-C ends it; the same command starts it again, with the models that were deployed.`,
      ].join("\n"),
    );
    const onGone = (error: Error) => note(`sotto: ${error.message}; the others go on`);
    await Promise.race([stopped, cluster.untilLost(onGone)]);
  } finally {
    await cluster.close();
  }
}

/** What starts, unless a signal comes meanwhile: then the process ends at once, as the signal would have it. */
async function unless<T>(stopped: Promise<NodeJS.Signals>, starting: Promise<T>): Promise<T> {
  let over = false;
  void stopped.then((signal) => {
    if (!over) exitAs(signal);
  });
  try {
    return await starting;
  } finally {
    over = true;
  }
}

/** Starts the cluster; if that fails, what was written for it goes, so that the next attempt begins anew. */
async function firstStart(
  dir: string,
  written: WrittenCluster | undefined,
): Promise<{ cluster: LocalCluster; unlock: () => void }> {
  const forget = written ? atExit(written.undo) : () => {};
  let unlock = () => {};
  try {
    unlock = lockCluster(dir);
    return { cluster: await clusterIn(dir), unlock };
  } catch (error) {
    unlock();
    written?.undo();
    throw error;
  } finally {
    forget();
  }
}

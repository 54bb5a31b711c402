/** Runs the real command in processes of its own, for tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeNpy } from "@sotto/model/npy";
import { type GruModel, makeGruModel } from "@sotto/model/testing";

const BIN = fileURLToPath(new URL("../../bin/sotto.js", import.meta.url));

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A directory for a test file: models, arrays, and the temporary directories of the commands it runs. */
export class Workshop {
  readonly dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
  private readonly started = new Set<Running>();

  path(...names: string[]): string {
    return join(this.dir, ...names);
  }

  model(name: string, spec: GruModel): string {
    return this.file(`${name}.onnx`, makeGruModel(spec));
  }

  array(name: string, shape: number[], at: (i: number) => number): string {
    const length = shape.reduce((a, b) => a * b, 1);
    const data = Array.from({ length }, (_, i) => at(i));
    return this.file(`${name}.npy`, writeNpy(shape, data, "float32"));
  }

  file(name: string, content: Uint8Array | string): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /**
   * Starts `sotto ...args`, which sees this directory as the one for temporary files.
   * @param input the beginning of its standard input, which stays open; without one there is none.
   */
  start(args: readonly string[], env: Record<string, string> = {}, input?: string): Running {
    const running = new Running(
      spawn(process.execPath, [BIN, ...args], {
        cwd: this.dir,
        env: { ...process.env, TMPDIR: this.dir, ...env },
        stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      }),
    );
    if (input !== undefined) running.process.stdin!.write(input);
    this.started.add(running);
    return running;
  }

  sotto(...args: string[]): Promise<Finished> {
    return this.start(args).finished;
  }

  /** Temporary directories that a command made and did not remove. */
  leftDirectories(): string[] {
    return readdirSync(this.dir).filter((name) => name.startsWith("sotto-"));
  }

  /** Party processes started from this directory's commands, oldest first. */
  parties(): number[] {
    return partiesWith(`TMPDIR=${this.dir}\0`);
  }

  close(): void {
    for (const running of this.started) running.process.kill("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  stdout = "";
  stderr = "";

  constructor(child: ChildProcess) {
    this.process = child;
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.finished = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }
}

/** Tests that look at processes do so where /proc is. */
export const CAN_SEE_PROCESSES = existsSync("/proc/self/environ");

function partiesWith(variable: string): number[] {
  const found = readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
      // it takes a title of its own once it knows what it is
      if (!command.includes("party") && !/^sotto (dealer|server)/.test(command[0]!)) return false;
      return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`.includes(`\0${variable}`);
    } catch {
      return false; // it has just ended
    }
  });
  return found.map(Number).sort((a, b) => a - b);
}

/** Waits until `condition` holds. @throws naming what did not come about. */
export async function until(condition: () => boolean, what: string, ms = 120_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** As many ports in a row as a cluster needs, that nobody uses at the moment. */
export async function freePorts(): Promise<number> {
  const free = (p: number) =>
    new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(p, "127.0.0.1", () => server.close(() => resolve(true)));
    });
  for (;;) {
    // below the ports that the system gives to outgoing connections
    const base = 20_000 + randomInt(1_250) * 8;
    const all = await Promise.all([0, 1, 2, 3, 4, 5, 6].map((i) => free(base + i)));
    if (all.every(Boolean)) return base;
  }
}

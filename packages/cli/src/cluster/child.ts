/** The parent's hold on one party process. */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { fileURLToPath } from "node:url";
import { SottoError } from "@sotto/core";
import { cut } from "../format.js";
import type { Report, Role } from "./messages.js";

const ENTRY = fileURLToPath(new URL("../../bin/sotto.js", import.meta.url));

/** Loading and listening take a second or two; a busy machine gets this long. */
const START_MS = 60_000;
/** After SIGTERM; then SIGKILL. */
const STOP_MS = 3_000;
/** How much of its standard error is kept, for a message when it ends unexpectedly. */
const KEEP = 16_000;
/** pino's number of the level. */
const WARNING = 40;

export interface ChildOptions {
  /** Directory that the process removes if this one dies. */
  scratch?: string;
  /** File to which its log is appended. */
  log?: string;
}

/** Megabytes for new objects: Node's default of 16 lets garbage take as much as all sessions together. */
const SMALL_HEAP = "--max-semi-space-size=4 --heap-growing-percent=100".split(" ");

export class Child {
  readonly name: string;
  readonly ended: Promise<void>;
  /** Rejects when the process ends without having been asked to. */
  readonly lost: Promise<never>;
  private readonly process: ChildProcess;
  private readonly loaded: Promise<void>;
  private stopping = false;
  private started = false;
  private tail = "";
  private readonly log: string | undefined;

  constructor(name: string, { scratch, log }: ChildOptions = {}) {
    this.name = name;
    this.log = log;
    const args = [ENTRY, "party", ...(scratch ? ["--scratch", scratch] : [])];
    this.process = spawn(process.execPath, [...SMALL_HEAP, ...args], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const file = log ? createWriteStream(log, { flags: "a", mode: 0o600 }) : undefined;
    // a full disk must not end the cluster
    file?.on("error", () => {});
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (process.env.SOTTO_DEBUG === "1") process.stderr.write(text);
      file?.write(text);
      this.tail = lastLines(this.tail + text);
    });
    this.ended = new Promise((resolve) => {
      this.process.once("exit", () => resolve());
      // "error" comes instead of "exit" when it could not be started at all
      this.process.once("error", () => resolve());
    });
    this.lost = this.ended.then(() => {
      if (this.stopping) return new Promise<never>(() => {});
      throw this.loss();
    });
    // whoever is interested races against it
    this.lost.catch(() => {});
    this.loaded = this.report("loaded").then(() => {});
    this.loaded.catch(() => {});
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  /** Tells it what to be. Returns the ports it listens on. @throws what it failed with. */
  async start(role: Role, config: string): Promise<Record<string, number>> {
    await this.loaded;
    const listening = this.report("listening");
    this.process.send({ type: "start", role, config }, () => {});
    const report = await listening;
    this.started = true;
    return report.type === "listening" ? report.ports : {};
  }

  /** Asks it to end when its sessions have, and waits for that. */
  async drain(): Promise<void> {
    this.stopping = true;
    if (this.running) this.process.send({ type: "drain" }, () => {});
    await this.ended;
  }

  /** Asks it to end, and makes it end. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (!this.running) return;
    this.process.kill("SIGTERM");
    const force = setTimeout(() => this.process.kill("SIGKILL"), STOP_MS);
    await this.ended;
    clearTimeout(force);
  }

  /** For when nothing can be waited for. */
  kill(): void {
    this.stopping = true;
    if (this.running) this.process.kill("SIGKILL");
  }

  private get running(): boolean {
    return (
      this.process.pid !== undefined && this.process.exitCode === null && this.process.signalCode === null
    );
  }

  /** The next report, which must be of this type. */
  private async report(type: Report["type"]): Promise<Report> {
    let timer: NodeJS.Timeout | undefined;
    let onMessage: ((report: Report) => void) | undefined;
    const answer = new Promise<Report>((resolve, reject) => {
      onMessage = (report) => {
        if (report.type === "failed") reject(new SottoError(report.code, `${this.name}: ${report.message}`));
        else if (report.type === type) resolve(report);
      };
      this.process.on("message", onMessage);
      timer = setTimeout(() => {
        reject(new SottoError("timeout", `${this.name} did not start within ${START_MS / 1000} s`));
      }, START_MS);
    });
    try {
      return await Promise.race([answer, this.lost]);
    } finally {
      clearTimeout(timer);
      if (onMessage) this.process.off("message", onMessage);
    }
  }

  private loss(): SottoError {
    const { exitCode, signalCode } = this.process;
    const how = signalCode
      ? `signal ${signalCode}`
      : exitCode === null
        ? "it could not be started"
        : `exit code ${exitCode}`;
    // somebody has killed it: what it said last is about something else
    const last = signalCode === "SIGKILL" ? undefined : lastWords(this.tail);
    // the log of a first start that fails is removed with the rest (commands/up.ts)
    const log = this.log && this.started ? `; its log is ${this.log}` : "";
    return new SottoError(
      "internal",
      `${this.name} ended unexpectedly (${how})${last ? `: ${last}` : ""}${log}`,
    );
  }
}

/**
 * What a party's standard error tells of its end: the last warning or error of its log, or the line with which
 * Node.js itself says what went wrong.
 */
export function lastWords(text: string): string | undefined {
  for (const line of text.split("\n").reverse()) {
    try {
      const { level, msg, message, reason } = JSON.parse(line) as Record<string, unknown>;
      const words = [msg, message ?? reason].filter((part) => typeof part === "string" && part !== "");
      if (Number(level) >= WARNING && words.length > 0) return cut(words.join(": "), 300);
    } catch {
      if (/^(FATAL|Uncaught|[A-Za-z]*Error\b)/.test(line)) return cut(line, 300);
    }
  }
  return undefined;
}

/** The last lines of `text`, whole ones, of at most KEEP characters in all. */
export function lastLines(text: string): string {
  if (text.length <= KEEP) return text;
  const kept = text.slice(-KEEP);
  return kept.slice(kept.indexOf("\n") + 1);
}

/** `sotto top`: a cluster, live. */
import { SottoError } from "@sotto/core";
import type { Command } from "commander";
import { called } from "../called.js";
import { untilSignal } from "../cluster/cleanup.js";
import { UsageError } from "../errors.js";
import { positive } from "../options.js";
import { print } from "../terminal.js";
import { figuresOf, type PartyFigures } from "../top/figures.js";
import { type Reading, read } from "../top/read.js";
import { Screen } from "../top/screen.js";
import { type Source, sourcesIn, sourcesOf } from "../top/sources.js";
import { render } from "../top/view.js";

/** A party that is busy answers late; one that does not answer for this long gives no figures. */
const READ_MS = 5000;

interface TopOptions {
  config?: string;
  once?: boolean;
  json?: boolean;
  interval: number;
}

export function addTop(program: Command): void {
  program
    .command("top")
    .description("watch the three parties of a cluster; q or Ctrl-C ends it")
    .argument("[dir]", "a cluster's directory, as `sotto up` writes it")
    .option(
      "--config <file>",
      "addresses of the parties' metrics (YAML: parties: {dealer, server-0, server-1}, tls)",
    )
    .option("--once", "print one table and end")
    .option("--json", "print one JSON object for each reading")
    .option("--interval <seconds>", "time between two readings", positive, 1)
    .addHelpText("after", "\nExample:\n  sotto top cluster\n  sotto top --config top.yaml --once --json")
    .action(async (dir: string | undefined, options: TopOptions) => {
      if ((dir === undefined) === (options.config === undefined)) {
        throw new UsageError(
          dir === undefined
            ? `expected a cluster's directory or --config FILE, as in \`${called()} top cluster\``
            : "expected a cluster's directory or --config FILE, and not both",
        );
      }
      const sources = options.config ? sourcesOf(options.config) : sourcesIn(dir!);
      const stopped = untilSignal();
      await (process.stdout.isTTY && !options.once && !options.json
        ? onScreen(sources, options.interval, stopped)
        : asText(sources, options, stopped));
    });
}

async function asText(sources: Source[], options: TopOptions, stopped: Promise<unknown>): Promise<void> {
  for await (const parties of readings(sources, options.interval, stopped)) {
    const at = new Date().toISOString();
    await print(options.json ? JSON.stringify({ at, parties }) : `${render(parties, at)}\n`);
    if (!options.once) continue;
    if (parties.every(({ figures }) => figures === null))
      throw new SottoError("unreachable", "no party of the cluster has given figures");
    return;
  }
}

async function onScreen(sources: Source[], seconds: number, stopped: Promise<unknown>): Promise<void> {
  const screen = new Screen(process.stdin, process.stdout);
  try {
    screen.show("reading ...");
    for await (const parties of readings(sources, seconds, Promise.race([stopped, screen.ended]))) {
      screen.show(render(parties, `${new Date().toLocaleTimeString()}, every ${seconds} s; q ends`));
    }
  } finally {
    screen.leave();
  }
}

/** Figures of each interval, until `stopped`. */
async function* readings(
  sources: Source[],
  seconds: number,
  stopped: Promise<unknown>,
): AsyncGenerator<PartyFigures[]> {
  let over = false;
  const end = stopped.then(() => {
    over = true;
    return undefined;
  });
  const readAll = () => Promise.race([Promise.all(sources.map((source) => read(source, READ_MS))), end]);
  let before: Reading[] | undefined = await readAll();
  while (before) {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([new Promise((resolve) => (timer = setTimeout(resolve, seconds * 1000))), end]);
    clearTimeout(timer);
    if (over) return;
    const last: Reading[] = before;
    const now = await readAll();
    if (!now) return;
    yield sources.map(({ party }, i) => figuresOf(party, last[i]!, now[i]!));
    before = now;
  }
}

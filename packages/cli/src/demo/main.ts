/**
 * `npm run demo`: real mails, classified privately by the shipped GRU. Four processes: the dealer, both
 * servers, and this one, which is the model's owner first and a client afterwards.
 */

import { connect, loadCluster, type RemoteModel, type Saw } from "@sotto/client";
import {
  type Compiled,
  compile,
  instantiate,
  type Network,
  type NumberTensor,
  prepareInputs,
  sizesOf,
} from "@sotto/core";
import type { Mail } from "@sotto/example-spam";
import { loadModel } from "@sotto/model";
import { Command } from "commander";
import { type LocalCluster, throwAwayCluster } from "../cluster/local.js";
import { withDeadline } from "../deadline.js";
import { report } from "../errors.js";
import { duration } from "../format.js";
import { count, positive } from "../options.js";
import { runPlaintext } from "../plaintext.js";
import { deployTo } from "../remote.js";
import { endWhenNobodyReads, note, Progress, print } from "../terminal.js";
import { sample } from "./mails.js";
import { summary, type Verdict, verdictTable } from "./report.js";

interface DemoOptions {
  mails: number;
  timeout: number;
}

const NAME = "spam";

/** Runs the demo and ends the process. */
export async function main(argv: readonly string[]): Promise<never> {
  endWhenNobodyReads();
  let code = 0;
  try {
    const command = new Command("npm run demo --")
      .description("classify real e-mails privately, on this machine")
      .option("--mails <n>", "how many", count, 40)
      .option("--timeout <seconds>", "deadline for all of it", positive, 300)
      .exitOverride()
      .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "sotto: ")) })
      .parse(argv, { from: "user" });
    const options = command.opts<DemoOptions>();
    await withDeadline(options.timeout, "the demo", (signal) => demo(options, signal));
  } catch (error) {
    code = report(error);
  }
  process.exit(code);
}

async function demo({ mails: n, timeout }: DemoOptions, signal: AbortSignal): Promise<void> {
  const timeoutMs = timeout * 1000;
  const began = performance.now();
  step("starting the dealer and both servers, three processes on loopback with mutual TLS");
  const cluster = await throwAwayCluster({});
  try {
    step(`they run as processes ${cluster.pids.join(", ")}`);
    const spam = await cluster.guard(import("@sotto/example-spam"));
    const compiled = compile(await loadModel(spam.modelPath()));
    await cluster.guard(deployTo(cluster.owner, NAME, compiled, { timeoutMs, signal }));
    step("the owner has shared the model; each server holds one share, which by itself is random");
    const vocabulary = await spam.loadVocabulary();
    const chosen = sample((await spam.loadMails()).test, n);
    step(`the client classifies ${chosen.length} mails that training never saw`);
    const input = compiled.plan.inputs[0]!.name;
    const shape = [1, vocabulary.length];
    const network = instantiate(compiled.plan, sizesOf(compiled.plan, { [input]: { shape } }));
    const client = connect(loadCluster(cluster.client));
    const model = await cluster.guard(client.model(NAME, { timeoutMs, signal }));
    const classifier = new Classifier(cluster, model, compiled, network, (mail) => ({
      [input]: { shape, data: spam.tokenize(mail, vocabulary) },
    }));
    const verdicts = await classifyAll(classifier, chosen, { timeoutMs, signal });
    client.close();
    await print(`\n${verdictTable(verdicts)}\n\n${summary({ verdicts, saw: classifier.saw })}`);
  } finally {
    await cluster.close();
  }
  step(`all processes have ended; ${duration(performance.now() - began)} in all`);
}

async function classifyAll(
  classifier: Classifier,
  mails: readonly Mail[],
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<Verdict[]> {
  const progress = new Progress();
  const verdicts: Verdict[] = [];
  for (const [i, mail] of mails.entries()) {
    progress.update(`  ${i} of ${mails.length} mails`);
    verdicts.push(await classifier.classify(mail, options));
    // without a terminal a line now and then shows that it goes on
    if (!process.stderr.isTTY && (i + 1) % 10 === 0) note(`  ${i + 1} of ${mails.length} mails`);
  }
  progress.done();
  return verdicts;
}

/** Classifies a mail twice: at the servers, and in the clear. */
class Classifier {
  /** What the servers saw of the first mail. */
  saw: readonly Saw[] | undefined;

  constructor(
    private readonly cluster: LocalCluster,
    private readonly model: RemoteModel,
    private readonly compiled: Compiled,
    private readonly network: Network,
    private readonly inputs: (mail: Mail) => Record<string, NumberTensor>,
  ) {}

  async classify(mail: Mail, options: { timeoutMs: number; signal: AbortSignal }): Promise<Verdict> {
    const inputs = this.inputs(mail);
    const { outputs, stats } = await this.cluster.guard(this.model.infer(inputs, options));
    this.saw ??= stats.saw;
    const privately = Object.values(outputs)[0]!.data;
    const values = prepareInputs(this.network, inputs, this.compiled.publicTensors);
    const plainly = Object.values(runPlaintext(this.compiled, this.network, values))[0]!.data;
    return {
      subject: mail.subject,
      spam: mail.spam,
      privately: spamScore(privately),
      plainly: spamScore(plainly),
      logitError: Math.max(...Array.from(plainly, (v, i) => Math.abs(v - privately[i]!))),
      stats,
    };
  }
}

/** Probability of spam, from the logits of ham and spam. */
function spamScore(logits: ArrayLike<number>): number {
  return 1 / (1 + Math.exp(logits[0]! - logits[1]!));
}

function step(text: string): void {
  note(`- ${text}`);
}

/** What print(model) writes in Python: the modules' tree. */
import { Arguments } from "./arguments.js";
import { badConfig, quote, unsupported } from "./errors.js";
import type { Json } from "./json.js";
import { MODULES, moduleKey } from "./modules.js";
import { type Chain, isTake, type Step, TAKES } from "./steps.js";

interface Printed {
  type: string;
  /** What stands between the brackets beside the children. */
  extra: string;
  children: [name: string, module: Printed][];
}

const MAX_DEPTH = 64;
const MAX_MODULES = 1_000;

/**
 * Reads a printed model, and lines such as "take: last_step" after it. Modules are taken to run in printed order.
 * @throws SottoError `bad-config`, or `unsupported` naming a module that is not supported.
 */
export function readPrint(text: string): Chain {
  const reader = new Reader(text);
  const root = reader.module(0);
  const chain: Chain = { steps: [], ignore: [] };
  for (const line of reader.rest().split("\n")) {
    if (line.trim() === "") continue;
    const take = /^\s*take\s*:\s*(\S+)\s*$/.exec(line)?.[1];
    if (!isTake(take))
      badConfig(
        `the line ${quote(line.trim())} after the printed model is not understood; possible is "take: WHAT" with ` +
          `one of ${TAKES.join(", ")}`,
      );
    chain.take = take;
  }
  collect(root, "", chain.steps);
  if (chain.steps.length === 0) badConfig(`${quote(root.type)} has no modules that compute anything`);
  return chain;
}

function collect(printed: Printed, path: string, steps: Step[]): void {
  const { type, extra, children } = printed;
  const where = `${path || "the model"} (${type})`;
  const module = MODULES.get(moduleKey(type));
  if (module && children.length === 0) {
    const args = new Arguments(where, argumentsOf(extra, module.positional ?? [], where), true);
    const step = module.make(args, path);
    args.refuseRest();
    if (step) steps.push(step);
    return;
  }
  // a loss that is kept in the model is no part of inference
  if (type.endsWith("Loss")) return;
  const whole = /^(Transformer|Multihead|Parametri[sz]ed|LSTM|RNN)/.test(type);
  if (whole || extra !== "" || (children.length === 0 && type !== "Sequential"))
    unsupported(
      `the module ${where} is not supported in a printed model. If ONNX can express the model, export it ` +
        "(docs/pytorch.md)",
    );
  for (const [name, child] of children) collect(child, path === "" ? name : `${path}.${name}`, steps);
}

class Reader {
  private at = 0;
  private modules = 0;
  private readonly text: string;
  constructor(text: string) {
    this.text = text.replaceAll("\r", "");
  }

  module(depth: number): Printed {
    if (depth > MAX_DEPTH || ++this.modules > MAX_MODULES) badConfig("the printed model is too large");
    const type = this.match(/\s*([A-Za-z_][\w.]*)\(/y)?.[1] ?? this.fail("the name of a module and (");
    const children: Printed["children"] = [];
    const extra: string[] = [];
    while (!this.match(/\s*\)/y)) {
      const child = this.match(/\s*\(([^()\n]+)\): (?:(\d{1,4}) x )?/y);
      if (!child) {
        extra.push(this.extra());
        continue;
      }
      const module = this.module(depth + 1);
      for (const name of this.repeated(child[1]!, child[2])) children.push([name, module]);
    }
    return { type, extra: extra.join(", "), children };
  }

  rest(): string {
    return this.text.slice(this.at);
  }

  /** Newer versions print equal modules of a list once: "(0-2): 3 x Linear(...)". */
  private repeated(name: string, times: string | undefined): string[] {
    if (times === undefined) return [name];
    const first = Number(/^(\d{1,6})-\d+$/.exec(name)?.[1] ?? Number.NaN);
    const count = Number(times);
    this.modules += count;
    if (Number.isNaN(first) || this.modules > MAX_MODULES) this.fail("a range of modules as (0-2): 3 x");
    return Array.from({ length: count }, (_, i) => String(first + i));
  }

  /** Arguments: up to the end of the line, or the bracket that ends the module. */
  private extra(): string {
    this.match(/\s*/y);
    const start = this.at;
    for (let depth = 0; ; this.at++) {
      const char = this.text[this.at] ?? this.fail("the closing bracket of a module");
      if (depth === 0 && (char === "\n" || char === ")")) break;
      if ("([{".includes(char)) depth++;
      if (")]}".includes(char)) depth--;
    }
    return this.text.slice(start, this.at).trim().replace(/,$/, "");
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found ?? undefined;
  }

  private fail(expected: string): never {
    const line = this.text.slice(0, this.at).split("\n").length;
    badConfig(
      `it is neither JSON nor what print(model) writes in Python: line ${line} should have ${expected}, and reads ` +
        quote(this.text.slice(this.at, this.at + 40).trim()),
    );
  }
}

/** "16, 32, num_layers=2, kernel_size=(3,)" by names. */
function argumentsOf(extra: string, positional: readonly string[], where: string): Map<string, Json> {
  const result = new Map<string, Json>();
  splitTop(extra).forEach((argument, i) => {
    const [, key, text] = /^(?:([A-Za-z_]\w*)\s*=\s*)?(.*)$/s.exec(argument)!;
    const name = key ?? positional[i];
    if (name === undefined || result.has(name)) badConfig(`${where}: ${quote(argument)} is not understood`);
    result.set(name, literal(text!));
  });
  return result;
}

function splitTop(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const char of text) {
    if ("([".includes(char)) depth++;
    if (")]".includes(char)) depth--;
    if (char === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** A Python literal, or a tuple of them; what is none stays text. */
function literal(text: string): Json {
  return text.startsWith("(") && text.endsWith(")") ? splitTop(text.slice(1, -1)).map(plain) : plain(text);
}

function plain(text: string): Json {
  if (text === "True" || text === "False") return text === "True";
  if (text === "None") return null;
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text.replace(/^'(.*)'$/s, "$1");
}

/** Without a configuration: what the names and shapes of weights tell. */
import { badConfig, shown, some, unsupported } from "./errors.js";
import type { Chain, Step } from "./steps.js";
import type { Weights } from "./weights.js";

interface Found {
  name: string;
  /** Numbers that go in and come out. */
  inputs: number;
  outputs: number;
}

interface Modules {
  embeddings: Found[];
  grus: (Found & { cell: boolean; directions: number })[];
  linears: Found[];
  convolutions: Found[];
  norms: Found[];
  others: string[];
}

/**
 * The chain embedding? -> GRU -> linear?, if the weights are these and nothing else.
 * @throws SottoError `bad-config` with what was found and a configuration to edit; `unsupported` for an LSTM or RNN.
 */
export function guess(weights: Weights): Chain {
  const found = find(weights);
  const { embeddings, grus, linears, convolutions, norms, others } = found;
  const [gru] = grus;
  const [embedding] = embeddings;
  const [linear] = linears;
  const clear =
    grus.length === 1 &&
    embeddings.length <= 1 &&
    linears.length <= 1 &&
    convolutions.length + norms.length + others.length === 0 &&
    (!embedding || embedding.outputs === gru!.inputs) &&
    (!linear || linear.inputs === gru!.outputs) &&
    // it could as well stand before the GRU
    !(linear && !embedding && linear.outputs === gru!.inputs && linear.inputs === gru!.outputs);
  if (!clear) refuse(found, weights);
  const steps: Step[] = [];
  if (embedding) steps.push({ op: "embedding", name: embedding.name });
  steps.push({ op: "gru", name: gru!.name, cell: gru!.cell, batchFirst: true });
  if (linear) steps.push({ op: "take", what: "last_state" }, { op: "linear", name: linear.name });
  return { steps, ignore: [] };
}

function find(weights: Weights): Modules {
  const found: Modules = { embeddings: [], grus: [], linears: [], convolutions: [], norms: [], others: [] };
  const parts =
    /^(?:(.*)\.)?(weight|bias|running_mean|running_var|num_batches_tracked|(?:weight|bias)_[ih]h(?:_l\d+(?:_reverse)?)?)$/s;
  const names = new Set(weights.names);
  for (const full of names) {
    const [, prefix = "", part] = parts.exec(full) ?? [];
    const sibling = (suffix: string) => (prefix === "" ? suffix : `${prefix}.${suffix}`);
    const shape = weights.shape(full)!;
    if (part === undefined) found.others.push(full);
    else if (part === "weight_ih_l0" || part === "weight_ih") {
      const hidden = weights.shape(sibling(part.replace("ih", "hh")))?.[1] ?? 0;
      checkGates(full, shape, hidden);
      const directions = names.has(sibling("weight_ih_l0_reverse")) ? 2 : 1;
      const cell = part === "weight_ih";
      found.grus.push({
        name: prefix,
        inputs: shape[1] ?? 0,
        outputs: hidden * directions,
        directions,
        cell,
      });
    } else if (part === "running_mean") {
      found.norms.push({ name: prefix, inputs: shape[0] ?? 0, outputs: shape[0] ?? 0 });
    } else if (part === "weight" && !names.has(sibling("running_mean"))) {
      const [outputs = 0, inputs = 0] = shape;
      if (shape.length === 3) found.convolutions.push({ name: prefix, inputs, outputs });
      else if (shape.length !== 2) found.others.push(full);
      else if (/emb/i.test(prefix) && !names.has(sibling("bias")))
        found.embeddings.push({ name: prefix, inputs: outputs, outputs: inputs });
      else found.linears.push({ name: prefix, inputs, outputs });
    }
  }
  return found;
}

function checkGates(name: string, shape: readonly number[], hidden: number): void {
  const gates = (shape[0] ?? 0) / hidden;
  if (gates === 4 || gates === 1)
    unsupported(
      `${name} of shape ${shown(shape)} belongs to ${gates === 4 ? "an LSTM" : "a plain RNN"} of ${hidden} units; supported are GRUs`,
    );
}

function refuse(found: Modules, weights: Weights): never {
  const { embeddings, grus, linears, convolutions, norms, others } = found;
  const counts = [
    [embeddings.length, "embeddings"],
    [grus.length, "GRUs"],
    [linears.length, "linear layers"],
    [convolutions.length, "convolutions"],
    [norms.length, "batch normalisations"],
    [others.length, "other tensors"],
  ] as const;
  const list = counts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`);
  badConfig(
    `it is missing, and the weights alone do not say how the model is wired. The file has ${list.join(", ") || "no weights"}` +
      `${others.length > 0 ? ` (${some(others, 4)})` : ""}${weights.names.length > 0 ? `: ${shapes(weights)}` : ""}. ` +
      "Put what print(model) writes in Python into a file of the model's name with .txt, or the following, after " +
      `checking it, into one with .json; or give either with --config (docs/pytorch.md):\n${suggestion(found)}`,
  );
}

function shapes(weights: Weights): string {
  const most = 24;
  const listed = weights.names
    .slice(0, most)
    .map((name) => `${name.slice(0, 60)} ${shown(weights.shape(name)!)}`);
  return listed.join(", ") + (weights.names.length > most ? ` and ${weights.names.length - most} more` : "");
}

/** A configuration to edit: modules in the order in which sizes fit, as far as they do. */
function suggestion({ embeddings, grus, linears, convolutions, norms }: Modules): string {
  const lines: object[] = embeddings.slice(0, 1).map(({ name }) => ({ embedding: name }));
  const before = linears.filter((l) => grus.some((g) => g.inputs === l.outputs && g.outputs !== l.inputs));
  for (const l of before.slice(0, 4)) lines.push({ linear: l.name });
  for (const c of convolutions.slice(0, 4)) lines.push({ conv1d: c.name, padding: 0 }, { relu: {} });
  for (const g of grus.slice(0, 4))
    lines.push(g.cell ? { gru_cell: g.name, batch_first: true } : { gru: g.name, batch_first: true });
  if (grus.length > 0) lines.push({ take: "last_state" });
  for (const n of norms.slice(0, 4)) lines.push({ batch_norm: n.name });
  const after = order(
    linears.filter((l) => !before.includes(l)),
    grus.at(-1)?.outputs,
  ).slice(0, 8);
  for (const l of after) lines.push(...(l === after[0] ? [] : [{ relu: {} }]), { linear: l.name });
  return `{"layers": [\n${lines.map((line) => `  ${JSON.stringify(line)}`).join(",\n")}\n]}`;
}

/** Each next one takes what the one before gives, where there is such a one. */
function order(linears: Found[], start: number | undefined): Found[] {
  const rest = [...linears];
  const result: Found[] = [];
  for (let size = start; rest.length > 0 && result.length < 16; ) {
    const next = rest.findIndex((l) => l.inputs === size);
    const [l] = rest.splice(Math.max(next, 0), 1);
    result.push(l!);
    size = l!.outputs;
  }
  return result;
}

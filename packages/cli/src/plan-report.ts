/** What is known of a private run before anything runs, as data: `sotto inspect --json`. */
import {
  type Compiled,
  cost,
  costByLayer,
  expandedBytes,
  instantiate,
  type ModelInput,
  type Network,
  type NetworkOutput,
  PROFILES,
  type Profile,
  type Program,
  planHash,
  setupBytes,
  tensorShareBytes,
} from "@sotto/core";
import { roundMs } from "./format.js";
import { detailOf, type TableCost, tableCost } from "./layer-details.js";
import type { OpenSize } from "./sizes.js";

/** Round-trip times between the parties for which the latency is estimated, in milliseconds. */
export const ROUND_TRIP_TIMES = [0.1, 1, 20, 80] as const;

/** Bytes of the header that each message of a round, and each stage's correction words, travel under. */
export const FRAME_BYTES = 16;

export interface LayerReport {
  name: string;
  op: string;
  /** What there is to say: sizes, form, that a table is public. */
  detail: string;
  /** Rounds in which the layer opens something; layers may share rounds. */
  rounds: number;
  /** Bytes each server sends, without frame headers. */
  onlineBytes: number;
  offlineBytes: number;
  /** A secret embedding table: what a token costs. */
  table?: TableCost;
}

export interface InputReport {
  name: string;
  kind: ModelInput["kind"];
  shape: number[];
  declared: (number | string)[];
  /** Of what is private. */
  range?: number | number[];
  /** Tokens of a secret table: the client shares a vector of so many numbers for each. */
  vocabulary?: number;
  /** Lengths that nobody gives, but the client finds in another input. */
  mask?: ModelInput["mask"];
}

export interface ProfileCost {
  name: Profile;
  rounds: number;
  onlineBytes: number;
  /** From the dealer to each server, without the seed that both get. */
  offlineBytes: { server0: number; server1: number };
  /** Bytes that each server expands keys to. */
  expandedBytes: number;
}

export interface OutputReport {
  name: string;
  shape: number[];
  /** The function that the client computes on what it gets. */
  client?: string;
  /** How many numbers the client gets, where they are not as many as the output has. */
  revealed?: number;
}

export interface PlanReport {
  model: string;
  plan: string;
  inputs: InputReport[];
  outputs: OutputReport[];
  sizes: OpenSize[];
  /** Bits of fraction. */
  precision: Record<string, number>;
  /** By layer: the largest absolute pre-activations that the weights and the input range allow, in real units. */
  bounds: Record<string, Record<string, number>>;
  layers: LayerReport[];
  /** `oneRound`: looked up in one round, as the profile for wide-area links does where the table is not too large. */
  tables: { activation: string; nodes: number; lookUps: number; oneRound: boolean }[];
  /** The one that it is compiled for, and what the other one would cost. */
  profile: ProfileCost;
  otherProfile: ProfileCost;
  /** Smallest and largest modulus, in bits, of what is opened. */
  moduli: { least: number; most: number };
  rounds: number;
  /** Bytes that each server sends to the other. */
  onlineBytes: number;
  /** Bytes from the dealer, without the message that begins a session (some 320). */
  offlineBytes: { server0: number; server1: number };
  inputBytes: number;
  outputBytes: number;
  /** Once per deployment: bytes to each server from the model owner, and between the servers. */
  deployBytes: number;
  setupBytes: number;
  latency: { roundTripMs: number; networkMs: number }[];
}

export function planReport(compiled: Compiled, network: Network, sizes: OpenSize[]): PlanReport {
  const { plan } = compiled;
  const { program } = network;
  const total = cost(program);
  const profile = profileCost(network);
  const other = PROFILES.find((name) => name !== plan.profile)!;
  return {
    model: plan.name,
    plan: planHash(plan),
    inputs: plan.inputs.map((input) => inputReport(input, network)),
    outputs: network.outputs.map((output, i) => outputReport(output, program.outputs[i]!.length)),
    sizes,
    precision: { ...plan.precision },
    bounds: realBounds(compiled, program),
    layers: layers(compiled, network),
    tables: tables(program),
    profile,
    otherProfile: profileCost(instantiate({ ...plan, profile: other }, network.sizes)),
    moduli: moduli(program),
    rounds: total.rounds,
    onlineBytes: profile.onlineBytes,
    offlineBytes: profile.offlineBytes,
    inputBytes: total.inputBytes,
    outputBytes: total.outputBytes,
    deployBytes: tensorShareBytes(plan),
    setupBytes: setupBytes(plan),
    latency: ROUND_TRIP_TIMES.map((roundTripMs) => ({
      roundTripMs,
      networkMs: networkMs(total.rounds, roundTripMs),
    })),
  };
}

function profileCost({ plan, program }: Network): ProfileCost {
  const { rounds, openingBytes, correctionBytes, commonBytes } = cost(program);
  const frames = FRAME_BYTES * program.stages.length;
  return {
    name: plan.profile,
    rounds,
    onlineBytes: openingBytes + FRAME_BYTES * rounds,
    offlineBytes: {
      server0: commonBytes > 0 ? commonBytes + frames : 0,
      server1: correctionBytes + frames,
    },
    expandedBytes: expandedBytes(program),
  };
}

function outputReport({ name, shape, pending }: NetworkOutput, revealed: number): OutputReport {
  return {
    name,
    shape,
    ...(pending ? { client: pending.op === "activation" ? pending.activation.name : pending.op } : {}),
    ...(revealed === shape.reduce((n, d) => n * d, 1) ? {} : { revealed }),
  };
}

function inputReport({ name, kind, shape: declared, mask }: ModelInput, network: Network): InputReport {
  const about = network.inputs.find((i) => i.name === name);
  return {
    name,
    kind,
    shape: declared.map((d) => (typeof d === "number" ? d : network.sizes[d]!)),
    declared,
    ...(about ? { range: about.range } : {}),
    ...(about?.vocabulary === undefined ? {} : { vocabulary: about.vocabulary }),
    ...(mask ? { mask } : {}),
  };
}

/**
 * The network's part of the latency: in a round both servers send at the same time, so that it takes one way
 * (half a round trip); the client's request and its answer take a round trip more.
 */
export function networkMs(rounds: number, roundTripMs: number): number {
  return roundMs((rounds / 2 + 1) * roundTripMs);
}

function realBounds({ plan }: Compiled, program: Program): PlanReport["bounds"] {
  const { operand, weight } = plan.precision;
  // that of the product with W_z, less that of W_z: it depends on the range
  const inputScale = (layer: string): number => {
    const name = `${layer}.Wz`;
    const product = program.nodes.find((n) => n?.op === "linear" && n.tensor === name);
    return product?.op === "linear"
      ? product.scale - plan.tensors.find((t) => t.name === name)!.scale
      : operand;
  };
  return Object.fromEntries(
    Object.entries(plan.gruBounds).map(([layer, b]) => {
      const unit = 2 ** -(weight + operand);
      return [
        layer,
        { x: b.x * 2 ** -inputScale(layer), z: b.z * unit, r: b.r * unit, v: b.v * unit, n: b.n * unit },
      ];
    }),
  );
}

function layers(compiled: Compiled, network: Network): LayerReport[] {
  const { program } = network;
  const costs = new Map(costByLayer(program).map((c) => [c.label, c]));
  const levels = new Map<string, Set<number>>();
  for (const node of program.nodes) {
    if (node?.op !== "open") continue;
    levels.set(node.label, (levels.get(node.label) ?? new Set()).add(node.level));
  }
  const reports = compiled.plan.layers.map((layer): LayerReport => {
    const table = layer.op === "embedding" ? tableCost(layer, compiled, network) : undefined;
    return {
      name: layer.name,
      op: layer.op,
      detail: detailOf(layer, compiled, network),
      rounds: levels.get(layer.name)?.size ?? 0,
      onlineBytes: costs.get(layer.name)?.openingBytes ?? 0,
      offlineBytes: costs.get(layer.name)?.correctionBytes ?? 0,
      ...(table ? { table } : {}),
    };
  });
  return reports.filter((r) => r.detail !== "" || r.onlineBytes > 0);
}

function tables(program: Program): PlanReport["tables"] {
  const found = new Map<string, PlanReport["tables"][number]>();
  for (const node of program.nodes) {
    if (node?.op !== "select" && node?.op !== "lookup") continue;
    const oneRound = node.op === "lookup";
    const key = `${node.table.spec.name}/${node.nodeBits}/${oneRound}`;
    const entry = found.get(key) ?? {
      activation: node.table.spec.name,
      nodes: 2 ** node.nodeBits,
      lookUps: 0,
      oneRound,
    };
    entry.lookUps += program.nodes[node.x]!.length;
    found.set(key, entry);
  }
  return [...found.values()].sort((a, b) => a.activation.localeCompare(b.activation) || a.nodes - b.nodes);
}

function moduli(program: Program): PlanReport["moduli"] {
  const bits = program.nodes.flatMap((n) => (n?.op === "open" ? [n.modulus] : []));
  return { least: bits.reduce((a, b) => Math.min(a, b), 64), most: bits.reduce((a, b) => Math.max(a, b), 0) };
}

/**
 * A run in which the test decides every piece of randomness, node by node, for the privacy tests.
 *
 * `record` makes a run with fresh randomness and keeps what one server holds and receives. `replay` runs
 * other secrets such that this server's own randomness stays what it was, while the dealer's masks shift
 * by the difference of the secrets; the other server's part absorbs the change. If the design is right,
 * what the server receives is then the same to the bit: its view carries no information.
 */
import { Dealer } from "../interpret/dealer.js";
import type { Material, Points } from "../interpret/material.js";
import { Party } from "../interpret/party.js";
import { expandedWords, type PointShape } from "../interpret/points.js";
import { DealerSetup, PartySetup, type TensorShares } from "../interpret/setup.js";
import { operation } from "../ops/index.js";
import { type Draw, drawWords } from "../ops/operation.js";
import type { Network } from "../plan/instantiate.js";
import type { LookupNode, Node, OpenNode, SelectNode } from "../program/nodes.js";
import { SEED_BYTES, type Source, Stream } from "../random/stream.js";
import type { RandomBytes } from "../random/system.js";
import type { Ring, Vector } from "../ring/ring.js";
import { addPoints } from "./points.js";

/** Words as the tests compare them. */
type Words = BigUint64Array;

/** Everything one server holds and receives. */
export interface View {
  /** Its own streams and the corrections it was sent, in the order drawn. */
  material: Words[];
  /** Its share of the tensors and of the input, and W^. */
  tensors: Map<string, Words>;
  maskedTensors: Map<string, Words>;
  weightMasks: Words[];
  input: Words[];
  /** The other server's message of every opening. */
  received: Words[];
  /** The opened words, by the same order. */
  opened: Words[];
}

/** The secrets of a run: integers of tensors and inputs, as words. */
export interface Secrets {
  tensors: Map<string, Words>;
  inputs: Map<string, Words>;
}

/** Both servers' shares of what a stream carries, by name. */
export type CarriedShares = [Map<string, Words>, Map<string, Words>];

/**
 * Runs both servers and the dealer.
 * @param of which server's view is recorded, or replayed when `view` is given.
 * @param carried what the chunk before left, for a later chunk of a stream.
 */
export function lockstep(
  ring: Ring,
  network: Network,
  secrets: Secrets,
  of: 0 | 1,
  random: RandomBytes,
  view?: View,
  carried?: CarriedShares,
): { view: View; outputs: Words[]; carried: CarriedShares } {
  return new Lockstep(ring, network, secrets, of, random, view).run(carried);
}

class Lockstep {
  readonly ring: Ring;
  readonly network: Network;
  /** Whose view it is. */
  readonly server: 0 | 1;
  /** The view to replay. */
  readonly old: View | undefined;
  private readonly secrets: Secrets;
  private readonly random: RandomBytes;
  private readonly view: View = {
    material: [],
    tensors: new Map(),
    maskedTensors: new Map(),
    weightMasks: [],
    input: [],
    received: [],
    opened: [],
  };

  constructor(ring: Ring, network: Network, secrets: Secrets, of: 0 | 1, random: RandomBytes, old?: View) {
    this.ring = ring;
    this.network = network;
    this.secrets = secrets;
    this.server = of;
    this.random = random;
    this.old = old;
  }

  run(carried?: CarriedShares): { view: View; outputs: Words[]; carried: CarriedShares } {
    const { ring, network, server: of } = this;
    const { program, plan } = network;
    const other = (1 - of) as 0 | 1;

    // tensors: the server's share stays, the other's absorbs the difference
    const shares: [Map<string, Vector>, Map<string, Vector>] = [new Map(), new Map()];
    const masks: [Words[], Words[]] = [[], []];
    for (const t of plan.tensors) {
      const secret = this.secrets.tensors.get(t.name)!;
      const mine = this.old?.tensors.get(t.name) ?? this.uniform(secret.length);
      const theirs = combine(secret, mine, (a, b) => a - b);
      this.view.tensors.set(t.name, mine);
      shares[of].set(t.name, this.vector(mine));
      shares[other].set(t.name, this.vector(theirs));
      if (t.kind === "vector") continue;
      const index = masks[of].length;
      const R = this.old?.weightMasks[index] ?? this.uniform(secret.length);
      const opened = this.old?.maskedTensors.get(t.name);
      masks[of].push(R);
      this.view.weightMasks.push(R);
      masks[other].push(
        opened
          ? combine(
              opened,
              combine(secret, R, (a, b) => a + b),
              (a, b) => a - b,
            )
          : this.uniform(secret.length),
      );
    }
    const setup = (i: 0 | 1) =>
      new PartySetup(ring, plan, i, shares[i] as TensorShares, new ListSource(this, masks[i]));
    const setups = [setup(0), setup(1)] as const;
    const models = [setups[0].finish(setups[1].message()), setups[1].finish(setups[0].message())] as const;
    for (const t of plan.tensors) {
      if (t.kind === "matrix")
        this.view.maskedTensors.set(t.name, ring.words(models[of].masked(t.name).words).slice());
    }
    const dealerSetup = new DealerSetup(ring, plan, [
      new ListSource(this, masks[0]),
      new ListSource(this, masks[1]),
    ]);

    const queues = [new QueueMaterial(this), new QueueMaterial(this)] as const;
    const parties = [0, 1].map(
      (i) => new Party(ring, program, i as 0 | 1, models[i as 0 | 1], queues[i as 0 | 1]),
    ) as [Party, Party];
    const dealer = new RiggedDealer(this, dealerSetup, queues);
    const input: [Words[], Words[]] = [[], []];
    for (const node of program.inputs) {
      if (node.op !== "input") continue;
      const secret = this.secrets.inputs.get(node.name)!;
      const mine = this.old?.input[input[of].length] ?? this.uniform(secret.length);
      input[of].push(mine);
      this.view.input.push(mine);
      input[other].push(combine(secret, mine, (a, b) => a - b));
    }
    program.inputs.forEach((node, k) => {
      for (const i of [0, 1] as const) parties[i].shares[node.id] = this.vector(input[i][k]!);
    });
    for (const node of program.carried)
      for (const i of [0, 1] as const) parties[i].shares[node.id] = this.vector(carried![i].get(node.name)!);

    for (const stage of program.stages) {
      for (const node of [...stage.ahead, ...stage.local]) {
        dealer.current = node;
        operation(node).deal(node, dealer);
        for (const party of parties) {
          operation(node).prepare(node, party);
          if (node.op !== "input" && node.op !== "carried") operation(node).evaluate(node, party);
        }
      }
      for (const node of stage.openings) this.open(node, dealer, parties);
    }
    const outputs = program.outputs.map((node) =>
      combine(this.words(parties[0].share(node.id)), this.words(parties[1].share(node.id)), (a, b) =>
        BigInt.asUintN(node.modulus, a + b),
      ),
    );
    const kept = parties.map(
      (party) => new Map(program.carries.map((node) => [node.name, this.words(party.share(node.id))])),
    ) as CarriedShares;
    return { view: this.view, outputs, carried: kept };
  }

  private open(node: OpenNode, dealer: RiggedDealer, parties: [Party, Party]): void {
    dealer.current = node;
    const sum = combine(
      this.words(parties[0].share(node.x)),
      this.words(parties[1].share(node.x)),
      (a, b) => a + b,
    );
    dealer.secret = sum.map((v) => BigInt.asUintN(64, v + BigInt(node.offset)));
    operation(node).deal(node, dealer);
    const messages = parties.map((party) => {
      operation(node).prepare(node, party);
      operation(node).evaluate(node, party);
      return this.words(party.sending[node.id]!).map((v) => BigInt.asUintN(node.modulus, v));
    }) as [Words, Words];
    const opened = combine(messages[0], messages[1], (a, b) => BigInt.asUintN(node.modulus, a + b));
    for (const party of parties) party.opened[node.id] = this.vector(opened);
    this.view.received.push(messages[1 - this.server]!);
    this.view.opened.push(opened);
  }

  /** The old run's piece of material of the server whose view it is, or a fresh one; recorded. */
  mine(make: () => Words): Words {
    const words = this.old?.material[this.view.material.length] ?? make();
    this.view.material.push(words);
    return words;
  }

  uniform(n: number): Words {
    return new BigUint64Array(this.random(n * 8).buffer);
  }

  vector(words: Words): Vector {
    const v = this.ring.alloc(words.length);
    this.ring.words(v).set(words);
    return v;
  }

  words(v: Vector): Words {
    return this.ring.words(v).slice();
  }
}

/** Decides both servers' pieces such that the recorded server's stay what they were. */
class RiggedDealer extends Dealer {
  current: Node | undefined;
  /** What is about to be opened, offset included. */
  secret: Words = new BigUint64Array(0);
  private readonly lock: Lockstep;
  private readonly queues: readonly [QueueMaterial, QueueMaterial];
  private opened = 0;

  constructor(lock: Lockstep, setup: DealerSetup, queues: readonly [QueueMaterial, QueueMaterial]) {
    const none: Source = { words: () => lock.vector(new BigUint64Array(0)), close: () => {} };
    super(
      lock.ring,
      lock.network.program,
      setup,
      { mask: none, share: none, selection: none, roots: none },
      { mask: none, roots: none },
    );
    this.lock = lock;
    this.queues = queues;
  }

  override mask(node: OpenNode): void {
    const { lock } = this;
    const mine = lock.mine(() => lock.uniform(node.length));
    const wanted = lock.old?.opened[this.opened++];
    // the mask that opens to the same word: m = opened - secret
    const m = wanted ? combine(wanted, this.secret, (a, b) => a - b) : undefined;
    const theirs = m ? combine(m, mine, (a, b) => a - b) : lock.uniform(node.length);
    this.give(mine, theirs);
    this.masks[node.id] = lock.vector(combine(mine, theirs, (a, b) => BigInt.asUintN(node.modulus, a + b)));
  }

  override share(D: Vector, draws: readonly Draw[]): void {
    const { lock } = this;
    const values = lock.words(D);
    // the modulus of each word; where a draw has no bits, its words mean nothing and are zero
    const bits = draws.flatMap((d) => Array<number>(d.n).fill(Math.max(0, d.bits)));
    const mine = lock.mine(() => lock.uniform(values.length).map((v, i) => BigInt.asUintN(bits[i]!, v)));
    this.give(
      mine,
      mine.map((v, i) => BigInt.asUintN(bits[i]!, values[i]! - v)),
    );
  }

  override selectionBits(words: number): Vector {
    const { lock } = this;
    const e = lock.vector(lock.mine(() => lock.uniform(words)));
    if (lock.server === 1) {
      // server 1's bits stay: server 0's are those with the bit at the mask's node flipped
      const node = this.current as SelectNode;
      const n = node.length / 3;
      const sigma = lock.ring.alloc(n);
      const m = this.masks[node.x]!;
      lock.ring.kernels.flipSelected(e.ptr, sigma.ptr, m.ptr, n, node.nodeBits, node.table.stepBits);
      sigma.free();
    }
    this.queues[0].push(lock.words(e));
    return e;
  }

  override selectionCorrection(e1: Vector): void {
    this.queues[1].push(this.lock.words(e1));
  }

  /**
   * Shares of point vectors as they should be: one's are uniform, the other's complete them. That a key tells nothing of the
   * place is the point function's own security (interpret/points.test.ts).
   */
  override points(node: LookupNode, shape: PointShape, payload: Vector): void {
    const { lock } = this;
    const { ring } = lock;
    // many words: the view holds what they are made of
    const seed = lock.mine(() => lock.uniform(SEED_BYTES / 8));
    const stream = new Stream(ring, new Uint8Array(seed.buffer), "points");
    const mine = stream.words(expandedWords(shape));
    const theirs = ring.zeros(mine.length);
    ring.kernels.sub(theirs.ptr, theirs.ptr, mine.ptr, mine.length);
    const { stepBits } = node.table;
    addPoints(ring.words(theirs), shape, lock.words(this.masks[node.x]!), stepBits, lock.words(payload));
    this.give(lock.words(mine), lock.words(theirs));
    stream.close();
    for (const v of [mine, theirs]) v.free();
  }

  private give(mine: Words, theirs: Words): void {
    const of = this.lock.server;
    this.queues[of].push(mine);
    this.queues[of === 0 ? 1 : 0].push(theirs);
  }
}

/** Hands a server the pieces that the rigged dealer decided, in order. */
class QueueMaterial implements Material {
  private readonly lock: Lockstep;
  private readonly queue: Words[] = [];

  constructor(lock: Lockstep) {
    this.lock = lock;
  }

  push(words: Words): void {
    this.queue.push(words);
  }

  mask(n: number): Vector {
    const words = this.queue.shift();
    if (words?.length !== n) throw new Error(`${n} words drawn, ${words?.length} dealt`);
    return this.lock.vector(words);
  }

  share(draws: readonly Draw[]): Vector {
    return this.mask(drawWords(draws));
  }

  selectionBits(words: number): Vector {
    return this.mask(words);
  }

  points(shape: PointShape): Points {
    const E = this.mask(expandedWords(shape));
    return { expand: () => E, inParts: () => {}, free: () => {} };
  }

  beginStage(): void {}
  endStage(): void {}
  close(): void {}
}

/** A source that hands out given words. */
class ListSource implements Source {
  private readonly lock: Lockstep;
  private readonly list: Words[];

  constructor(lock: Lockstep, list: readonly Words[]) {
    this.lock = lock;
    this.list = [...list];
  }

  words(): Vector {
    return this.lock.vector(this.list.shift()!);
  }

  close(): void {}
}

function combine(a: Words, b: Words, f: (x: bigint, y: bigint) => bigint): Words {
  return a.map((x, i) => f(x, b[i]!));
}

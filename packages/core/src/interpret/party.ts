/**
 * A server's interpretation of a program: shares in, one message each way per round, a share out.
 * It is synchronous and knows no transport; the session above it moves the messages. One Party evaluates
 * one input: its correlated randomness cannot serve a second one.
 */
import { SottoError } from "../errors.js";
import { operation } from "../ops/index.js";
import type { ActivationTable } from "../plan/table.js";
import { tableLimbs, tableNodes } from "../plan/table-layout.js";
import type {
  CarriedNode,
  InputNode,
  NodeId,
  OpenNode,
  Selection,
  SelectNode,
  SharedNode,
} from "../program/nodes.js";
import { type Program, roundBytes, rounds } from "../program/program.js";
import { stageNodes } from "../program/schedule.js";
import type { Source } from "../random/stream.js";
import { Packer, packedBytes, Unpacker, unpack } from "../ring/packed.js";
import type { Ring, Vector } from "../ring/ring.js";
import { stageCorrectionBytes } from "./cost.js";
import type { Material, Points } from "./material.js";
import type { PartyModel } from "./setup.js";

/** The public part of a lifted value (assembly/finish.ts, lift). */
export interface View {
  /** The right shift. */
  shift: number;
  value: Vector;
  wrap: Vector;
}

/** A server's shares of what a stream carries, by name. Whoever holds it frees it (dropCarried). */
export type Carried = Map<string, Vector>;

export class Party {
  readonly ring: Ring;
  readonly program: Program;
  readonly index: 0 | 1;
  readonly model: PartyModel;
  readonly material: Material;
  /** Shares, by node. */
  readonly shares: (Vector | undefined)[] = [];
  /** This server's share of each opening's mask, and of the shifted mask where products need it. */
  readonly masks: (Vector | undefined)[] = [];
  readonly operandMasks: (Vector | undefined)[] = [];
  /** x + offset + m of an opening, this server's part, until it is sent. */
  readonly sending: (Vector | undefined)[] = [];
  /** x + offset + m, known to both servers. */
  readonly opened: (Vector | undefined)[] = [];
  /** What operations prepared from correlated randomness. */
  readonly prepared: (Vector | undefined)[] = [];
  /** Of point vectors that are expanded where they are used. */
  readonly keys: (Points | undefined)[] = [];
  /** Whether the stage that is being prepared has room for what keys expand to. */
  expandsAhead = true;
  private readonly views: (View[] | undefined)[] = [];
  private readonly tables = new Map<ActivationTable, Map<number, Vector>>();
  private readonly inputs = new Map<string, Vector>();
  private carried: Carried = new Map();
  private refresh: Source | undefined;
  private preparedStages = 0;
  private round = 0;
  /** The last stage whose part that needs no message of its round is computed. */
  private aheadOf = -1;
  private awaiting = false;
  private begun = false;
  private closed = false;

  constructor(ring: Ring, program: Program, index: 0 | 1, model: PartyModel, material: Material) {
    this.ring = ring;
    this.program = program;
    this.index = index;
    this.model = model;
    this.material = material;
  }

  /** How many stages have their correlated randomness. */
  get stagesPrepared(): number {
    return this.preparedStages;
  }

  /**
   * Draws the next stage's correlated randomness.
   * @param corrections the dealer's for this server.
   * @param expand whether point vectors are expanded now, which takes memory (cost.ts, preparedBytes), or when they are used.
   * @throws SottoError protocol for corrections of another length than the stage has, before anything is drawn.
   */
  prepare(corrections: Uint8Array, expand = true): void {
    this.expandsAhead = expand;
    const number = this.preparedStages++;
    const stage = this.program.stages[number];
    if (!stage)
      throw new SottoError("material", "every stage is prepared; more corrections than stages arrived");
    // an operation that met the end of them half-way would lose the memory it has taken
    const expected = stageCorrectionBytes(this.program, number, this.index);
    if (corrections.length !== expected) {
      throw new SottoError(
        "protocol",
        `corrections of stage ${number}: ${expected} bytes expected, got ${corrections.length}`,
      );
    }
    this.material.beginStage(corrections);
    for (const node of stageNodes(stage)) operation(node).prepare(node, this);
    this.material.endStage();
  }

  /**
   * Takes the client's input share: every input packed at its modulus, in the program's order.
   * @param refresh the servers' common stream (material.ts, outputStream); the party closes it.
   * @param carried what the chunk before left, if this is a later chunk of a stream; the party frees it.
   * @throws SottoError material when an input was given before; bad-input when its length is wrong.
   */
  begin(inputShare: Uint8Array, refresh: Source, carried: Carried = new Map()): void {
    if (this.begun) {
      throw new SottoError("material", "this session's correlated randomness is taken; open a new session");
    }
    this.begun = true;
    this.refresh = refresh;
    this.carried = carried;
    const expected = this.program.inputs.reduce((sum, n) => sum + packedBytes(n.length, n.modulus), 0);
    if (inputShare.length !== expected) {
      throw new SottoError(
        "bad-input",
        `an input share of ${expected} bytes expected, got ${inputShare.length}`,
      );
    }
    let at = 0;
    for (const node of this.program.inputs) {
      this.inputs.set((node as InputNode).name, unpack(this.ring, inputShare, at, node.length, node.modulus));
      at += packedBytes(node.length, node.modulus);
    }
  }

  /** Computes up to the next round and returns this server's message, with `room` bytes left free in front. */
  message(room = 0): Uint8Array {
    if (!this.begun || this.awaiting || this.round >= rounds(this.program)) {
      throw new SottoError("internal", `no message is due in round ${this.round + 1}`);
    }
    const stage = this.evaluateStage();
    this.round++;
    this.awaiting = true;
    const out = new Packer(this.ring, roundBytes(this.program, this.round));
    for (const node of stage.openings) {
      operation(node).evaluate(node, this);
      out.put(this.sending[node.id]!, node.modulus);
      this.dropUsedBy(node.id);
    }
    return out.take(room);
  }

  /** While the other server's message is on the way: what the next stage computes without it, if that is prepared. */
  whileWaiting(): void {
    if (this.awaiting && this.preparedStages > this.round) this.evaluateAhead();
  }

  /** Takes the other server's message of the current round. */
  accept(message: Uint8Array): void {
    if (!this.awaiting) throw new SottoError("protocol", `no message is expected in round ${this.round}`);
    const expected = roundBytes(this.program, this.round);
    if (message.length !== expected) {
      throw new SottoError(
        "protocol",
        `round ${this.round}: ${expected} bytes expected, got ${message.length}`,
      );
    }
    const theirs = new Unpacker(this.ring, message);
    for (const node of this.program.stages[this.round - 1]!.openings) {
      const sum = this.sending[node.id]!;
      theirs.addTo(sum, node.modulus);
      this.opened[node.id] = sum;
      this.sending[node.id] = undefined;
    }
    theirs.free();
    this.awaiting = false;
  }

  /** After the last round: this server's share of every output, packed at its modulus. */
  result(): Uint8Array {
    if (this.awaiting || !this.begun || this.round !== rounds(this.program)) {
      throw new SottoError("internal", `no result after round ${this.round} of ${rounds(this.program)}`);
    }
    this.evaluateStage();
    const { outputs } = this.program;
    const out = new Packer(
      this.ring,
      outputs.reduce((sum, n) => sum + packedBytes(n.length, n.modulus), 0),
    );
    for (const node of outputs) {
      const share = this.share(node.id);
      const zero = this.refresh!.words(node.length);
      if (this.index === 0) this.ring.kernels.add(zero.ptr, share.ptr, zero.ptr, node.length);
      else this.ring.kernels.sub(zero.ptr, share.ptr, zero.ptr, node.length);
      out.put(zero, node.modulus);
      zero.free();
    }
    return out.take();
  }

  /** After the result: this server's shares of what the next chunk needs. They are the caller's now. */
  carry(): Carried {
    const kept: Carried = new Map();
    for (const node of this.program.carries) {
      kept.set(node.name, present(this.shares[node.id], node.id));
      this.shares[node.id] = undefined;
    }
    return kept;
  }

  /** Frees everything. Safe to call at any moment, more than once. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.material.close();
    this.refresh?.close();
    for (const node of [...this.program.carried, ...this.program.carries]) this.wipe(node.id);
    for (const list of [
      this.shares,
      this.masks,
      this.operandMasks,
      this.sending,
      this.opened,
      this.prepared,
    ]) {
      list.forEach((v) => {
        v?.free();
      });
      list.length = 0;
    }
    for (const keys of this.keys) keys?.free();
    this.keys.length = 0;
    for (const views of this.views) views?.forEach(freeView);
    for (const tables of this.tables.values()) for (const v of tables.values()) v.free();
    for (const v of this.inputs.values()) v.free();
    dropCarried(this.ring, this.carried);
    this.views.length = 0;
    this.tables.clear();
    this.inputs.clear();
  }

  share(id: NodeId): Vector {
    return present(this.shares[id], id);
  }

  /** @internal For the input operation. */
  takeInput(node: InputNode): Vector {
    const v = present(this.inputs.get(node.name), node.id);
    this.inputs.delete(node.name);
    return v;
  }

  /** @internal For the carried operation. */
  takeCarried(node: CarriedNode): Vector {
    const v = present(this.carried.get(node.name), node.id);
    if (v.length !== node.length) {
      throw new SottoError("internal", `${node.name} has ${v.length} elements, expected ${node.length}`);
    }
    this.carried.delete(node.name);
    return v;
  }

  /** What an operation prepared; the caller owns it now. */
  takePrepared(id: NodeId): Vector {
    const v = present(this.prepared[id], id);
    this.prepared[id] = undefined;
    return v;
  }

  openedWords(id: NodeId): Vector {
    return present(this.opened[id], id);
  }

  /** The lifted view of an opening after a right shift; shared by its consumers. */
  view(id: NodeId, shift: number): View {
    this.views[id] ??= [];
    const made = this.views[id].find((view) => view.shift === shift);
    if (made) return made;
    const node = this.program.nodes[id] as OpenNode;
    const value = this.ring.alloc(node.length);
    const wrap = this.ring.alloc(node.length);
    const offset = node.offset / 2 ** shift;
    const opened = this.openedWords(id);
    this.ring.kernels.lift(value.ptr, wrap.ptr, opened.ptr, node.length, node.modulus, shift, offset);
    const view = { shift, value, wrap };
    this.views[id].push(view);
    return view;
  }

  /** The opened words of a selection and its table's step. */
  selection(selection: Selection): { x: Vector; u: Vector; s: number } {
    const node = this.program.nodes[selection.select] as SelectNode;
    return { x: this.openedWords(selection.x), u: this.openedWords(selection.u), s: node.table.stepBits };
  }

  /** The middle `window` nodes as the kernel `select` takes them. */
  table(table: ActivationTable, window: number): Vector {
    return this.tableOf(table, window, () => tableLimbs(table, window));
  }

  private tableOf(table: ActivationTable, key: number, make: () => Int16Array | BigInt64Array): Vector {
    let made = this.tables.get(table);
    if (!made) {
      made = new Map();
      this.tables.set(table, made);
    }
    let v = made.get(key);
    if (!v) {
      const { buffer, byteLength } = make();
      v = this.ring.alloc(byteLength / 8);
      this.ring.bytes(v).set(new Uint8Array(buffer));
      made.set(key, v);
    }
    return v;
  }

  /** All 2^nodeBits nodes as the kernel `lookup` takes them, by node number mod 2^nodeBits. */
  wholeTable(table: ActivationTable, nodeBits: number): Vector {
    // a window is at least 2^6 nodes: the keys cannot meet
    return this.tableOf(table, -nodeBits, () => tableNodes(table, nodeBits));
  }

  private evaluateStage() {
    if (this.preparedStages <= this.round) {
      throw new SottoError("material", `stage ${this.round} has no correlated randomness yet`);
    }
    const stage = this.program.stages[this.round]!;
    this.evaluateAhead();
    this.evaluateAll(stage.local);
    return stage;
  }

  /** Once for each stage. */
  private evaluateAhead(): void {
    if (this.aheadOf === this.round) return;
    this.aheadOf = this.round;
    this.evaluateAll(this.program.stages[this.round]!.ahead);
  }

  private evaluateAll(nodes: readonly SharedNode[]): void {
    for (const node of nodes) {
      operation(node).evaluate(node, this);
      this.dropUsedBy(node.id);
    }
  }

  private dropUsedBy(id: NodeId): void {
    const all = this.program.lastUse[id];
    if (!all) return;
    for (const used of all) {
      const op = this.program.nodes[used]?.op;
      if (op === "open") this.dropOpening(used);
      else {
        if (op === "carried") this.wipe(used);
        drop(this.shares, used);
      }
    }
  }

  /** Before it is freed: what a stream carries outlives no chunk but the next one. */
  private wipe(id: NodeId): void {
    const v = this.shares[id];
    if (v) this.ring.wipe(v, 0, v.length);
  }

  private dropOpening(id: NodeId): void {
    drop(this.masks, id);
    drop(this.operandMasks, id);
    drop(this.opened, id);
    this.views[id]?.forEach(freeView);
    this.views[id] = undefined;
  }
}

/** Wipes and frees what a stream carries. */
export function dropCarried(ring: Ring, carried: Carried): void {
  for (const v of carried.values()) {
    ring.wipe(v, 0, v.length);
    v.free();
  }
  carried.clear();
}

function drop(list: (Vector | undefined)[], id: NodeId): void {
  list[id]?.free();
  list[id] = undefined;
}

function freeView({ value, wrap }: View): void {
  value.free();
  wrap.free();
}

function present<T>(value: T | undefined, id: NodeId): T {
  if (value === undefined) throw new SottoError("internal", `node ${id} has no value at this point`);
  return value;
}

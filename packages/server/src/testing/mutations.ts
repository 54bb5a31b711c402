/** Changes of a stream of bytes as somebody hostile makes them, for tests. */
import { CONTROL_TAG, type ControlMessage, controlFrame, dataFrame, HEADER_BYTES } from "@sotto/wire";
import fc from "fast-check";

/** What becomes of a frame: the bytes sent in its place. */
export type Mutation = (frame: Uint8Array, earlier: readonly Uint8Array[]) => Uint8Array[];

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const changed = (frame: Uint8Array, change: (copy: Uint8Array) => void) => {
  const copy = Uint8Array.from(frame);
  change(copy);
  return copy;
};
const text = new TextEncoder();
const control = (json: string) => dataFrame(0, CONTROL_TAG, text.encode(json));

const u32 = fc.oneof(fc.constantFrom(0, 1, 2 ** 26, 2 ** 26 + 1, 2 ** 31, 2 ** 32 - 1), fc.nat(2 ** 20));
const hexOf = (digits: number) =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: digits, maxLength: digits })
    .map((d) => d.join(""));

/** Control messages that are well formed, of every type, with ids that nobody has drawn. */
export const strangeMessage: fc.Arbitrary<ControlMessage> = fc
  .record({
    type: fc.constantFrom(
      ...([
        "welcome",
        "refused",
        "ping",
        "pong",
        "unknown-frame",
        "setup",
        "setup-accepted",
        "setup-request",
      ] as const),
      ...([
        "setup-seed",
        "setup-done",
        "setup-drop",
        "changed",
        "deal",
        "dealt",
        "credit",
        "hello",
        "abort",
      ] as const),
    ),
    ids: fc.tuple(hexOf(32), hexOf(32), hexOf(32), hexOf(64), hexOf(64)),
    n: fc.integer({ min: 1, max: 2 ** 20 }),
    sizes: fc.dictionary(fc.string({ maxLength: 9 }), fc.nat(2 ** 24), { maxKeys: 3 }),
    plan: fc.jsonValue(),
    words: fc.string({ maxLength: 60 }),
  })
  .map(({ type, ids: [session, setup, deal, plan, seed], n, sizes, plan: anything, words }) => {
    const stated = {
      ...{ type, session, setup, deal, sizes, seed, run: plan, nonce: seed, deployment: deal, stages: n },
      ...{ version: 2, role: "server-0", boot: deal, about: session, code: "timeout", message: words },
      ...{ tag: session.slice(16), number: n, name: "m", plan: type === "setup-request" ? anything : plan },
    };
    return stated as unknown as ControlMessage;
  });

/** JSON that is no message: unknown types, deep values, huge texts, wrong types of fields. */
export const strangeJson: fc.Arbitrary<string> = fc.oneof(
  fc.json(),
  fc.string({ maxLength: 100 }),
  fc.integer({ min: 1, max: 3000 }).map((n) => "[".repeat(n) + "]".repeat(n)),
  fc
    .integer({ min: 1, max: 3000 })
    .map((n) => `{"type":"setup-request","plan":${'{"a":'.repeat(n)}1${"}".repeat(n)}}`),
  fc.integer({ min: 1, max: 20_000 }).map((n) => JSON.stringify({ type: "abort", message: "x".repeat(n) })),
  fc
    .tuple(strangeMessage, fc.string({ maxLength: 8 }), fc.jsonValue())
    .map(([message, key, value]) => JSON.stringify({ ...message, [key]: value })),
  fc.tuple(strangeMessage, fc.nat(), fc.jsonValue()).map(([message, at, value]) => {
    const keys = Object.keys(message);
    return JSON.stringify({ ...message, [keys[at % keys.length]!]: value });
  }),
);

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 4 }).map(
    (bits): Mutation =>
      (frame) => [
        changed(frame, (copy) => {
          for (const [at, bit] of bits) copy[at % copy.length]! ^= 1 << bit;
        }),
      ],
  ),
  // a piece is missing, or there twice; what follows is out of step with its headers
  fc.tuple(fc.nat(), fc.nat(40)).map(
    ([at, n]): Mutation =>
      (frame) => {
        const from = at % frame.length;
        return [frame.subarray(0, from), frame.subarray(Math.min(frame.length, from + n))];
      },
  ),
  fc.nat().map(
    (at): Mutation =>
      (frame) => [frame, frame.subarray(at % frame.length)],
  ),
  u32.map(
    (length): Mutation =>
      (frame) => [changed(frame, (copy) => view(copy).setUint32(0, length, true))],
  ),
  u32.map(
    (number): Mutation =>
      (frame) => [changed(frame, (copy) => view(copy).setUint32(4, number, true))],
  ),
  fc.bigInt(0n, 2n ** 64n - 1n).map(
    (tag): Mutation =>
      (frame) => [changed(frame, (copy) => view(copy).setBigUint64(8, tag, true))],
  ),
  fc.constant<Mutation>((frame) => [frame, frame]),
  fc.constant<Mutation>(() => []),
  // replays, of this session and of ones before
  fc.nat().map(
    (at): Mutation =>
      (frame, earlier) => [frame, earlier[at % Math.max(1, earlier.length)] ?? frame],
  ),
  fc.nat().map(
    (at): Mutation =>
      (frame, earlier) => [earlier[at % Math.max(1, earlier.length)] ?? frame, frame],
  ),
  fc.integer({ min: -64, max: 64 }).map(
    (by): Mutation =>
      (frame) => {
        // another length, with a header that is true
        const payload = new Uint8Array(Math.max(0, frame.length - HEADER_BYTES + by));
        payload.set(frame.subarray(HEADER_BYTES, HEADER_BYTES + payload.length));
        return [dataFrame(view(frame).getUint32(4, true), view(frame).getBigUint64(8, true), payload)];
      },
  ),
  strangeMessage.map(
    (message): Mutation =>
      (frame) => [frame, controlFrame(message)],
  ),
  strangeMessage.map(
    (message): Mutation =>
      (frame) => {
        // a message that fits but for one field of another one
        if (view(frame).getBigUint64(8, true) !== CONTROL_TAG) return [frame, controlFrame(message)];
        const honest = JSON.parse(new TextDecoder().decode(frame.subarray(HEADER_BYTES))) as object;
        return [control(JSON.stringify({ ...message, ...honest, type: message.type }))];
      },
  ),
  strangeJson.map(
    (json): Mutation =>
      (frame) => [frame, control(json)],
  ),
);

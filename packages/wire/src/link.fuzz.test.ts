/** A link whose other end sends anything at all. `npm run test:long` draws over a million frames. */
import { SottoError } from "@sotto/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryPair } from "./channel.js";
import { CONTROL_TAG, dataFrame, HEADER_BYTES } from "./frame.js";
import { greet, type Link } from "./link.js";
import { type ControlMessage, controlFrame, PROTOCOL_VERSION } from "./messages.js";

const RUNS = process.env.SOTTO_LONG ? 60_000 : 120;
const FRAMES = 30;
const SECRET = "5ec2e7".repeat(11).slice(0, 64);
const ID = "0".repeat(32);
const encoder = new TextEncoder();

const honest: ControlMessage[] = [
  { type: "ping" },
  { type: "dealt", session: ID, deal: ID, setup: ID, plan: SECRET, sizes: { time: 3 }, seed: SECRET },
  { type: "hello", session: ID, deal: ID, setup: ID, run: SECRET, nonce: SECRET },
  { type: "credit", deal: ID, stages: 4 },
  { type: "abort", session: ID, code: "timeout", message: "late" },
];

interface Change {
  of: number;
  flips: [number, number][];
  cut: number | undefined;
  twice: boolean;
  length: number | undefined;
}

const change: fc.Arbitrary<Change> = fc.record({
  of: fc.nat(honest.length + 1),
  flips: fc.array(fc.tuple(fc.nat(), fc.nat(7)), { maxLength: 2 }),
  cut: fc.option(fc.nat(), { nil: undefined, freq: 12 }),
  twice: fc.boolean(),
  length: fc.option(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { nil: undefined, freq: 12 }),
});

function bytesOf({ of, flips, cut, twice, length }: Change): Uint8Array[] {
  const message = honest[of];
  const frame = message
    ? controlFrame(message)
    : dataFrame(of, of === honest.length ? 42n : CONTROL_TAG, encoder.encode(SECRET));
  for (const [at, bit] of flips) frame[at % frame.length]! ^= 1 << bit;
  if (length !== undefined) new DataView(frame.buffer).setUint32(0, length, true);
  const piece = cut === undefined ? frame : frame.subarray(0, cut % frame.length);
  return twice ? [piece, Uint8Array.from(piece)] : [piece];
}

const turns = async () => {
  for (let i = 0; i < 8; i++) await Promise.resolve();
};

describe("a link to somebody hostile", () => {
  it("gives messages, or ends for a reason that quotes nothing", async () => {
    let frames = 0;
    let died = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: FRAMES, size: "max" }),
        fc.boolean(),
        async (changes, greeted) => {
          const [ours, theirs] = memoryPair(2 ** 16);
          const reasons: SottoError[] = [];
          let link: Link | undefined;
          let answers = 0;
          theirs.onFrame = ({ payload }) => {
            answers += HEADER_BYTES + payload.length;
            expect(new TextDecoder().decode(payload)).not.toContain("5ec2e7");
          };
          const entered = greet(ours, { role: "server-0", boot: ID }, "dealer", 60_000, (made) => {
            link = made;
            made.onControl = () => {};
            made.route(42n, () => {});
            made.onClose((error) => reasons.push(error));
          });
          entered.catch((error) => reasons.push(error));
          if (greeted) {
            theirs.send(
              controlFrame({ type: "welcome", version: PROTOCOL_VERSION, role: "dealer", boot: ID }),
            );
          }
          let sent = 0;
          for (const piece of changes.flatMap(bytesOf)) {
            theirs.send(piece);
            sent += piece.length;
            frames++;
          }
          await turns();
          if (reasons.length === 0) theirs.close();
          else died++;
          await turns();
          expect(reasons.length).toBe(1);
          expect(reasons[0]).toBeInstanceOf(SottoError);
          expect(["protocol", "unreachable", "timeout"]).toContain(reasons[0]!.code);
          expect(reasons[0]!.message).not.toContain("5ec2e7");
          expect(reasons[0]!.message.length).toBeLessThan(1000);
          expect(link?.open ?? false).toBe(false);
          // no more is said than was asked
          expect(answers).toBeLessThan(10 * sent + 2000);
        },
      ),
      { numRuns: RUNS },
    );
    expect(died).toBeGreaterThan(RUNS / 4);
    expect(frames).toBeGreaterThan(RUNS * 5);
    if (process.env.SOTTO_LONG) console.log(`${frames} frames, ${died} of ${RUNS} links died of them`);
  });
});

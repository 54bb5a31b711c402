/** Somebody in the middle of a connection who can read and change every frame, for tests. */
import { type FrameChannel, HEADER_BYTES, type Role, writeHeader } from "@sotto/wire";

/** What is sent in place of a frame; pieces need not be frames. @param to who gets it. */
export type Tamper = (frame: Uint8Array, to: Role, from: Role) => Uint8Array[];

export class Middle {
  /** Everything is passed on unless this says otherwise. */
  tamper: Tamper | undefined;
  /** The last connection in each direction, by `from>to`. */
  readonly towards = new Map<string, FrameChannel>();

  /** Passes on between two connections; when one goes, so does the other. */
  join(sides: readonly [readonly [Role, FrameChannel], readonly [Role, FrameChannel]]): void {
    const [a, b] = sides;
    for (const [[sender, from], [role, to]] of [
      [a, b],
      [b, a],
    ] as const) {
      this.towards.set(`${sender}>${role}`, to);
      from.onFrame = ({ number, tag, payload }) => {
        const frame = new Uint8Array(HEADER_BYTES + payload.length);
        frame.set(payload, HEADER_BYTES);
        writeHeader(frame, number, tag);
        for (const piece of this.tamper?.(frame, role, sender) ?? [frame]) to.send(piece);
      };
      from.onClose = () => to.close();
    }
  }
}

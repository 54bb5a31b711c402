/** What carries frames between two parties. Frames keep their order; nothing is lost while the channel is open. */
import { SottoError } from "@sotto/core";
import { type Frame, FrameDecoder } from "./frame.js";

export interface FrameChannel {
  /**
   * Sends one frame, or several, headers included, in one write; the memory is the channel's from now on. No-op when closed.
   * @param left called when it has left this process; not called any more once the channel is closed.
   */
  send(frame: Uint8Array, left?: () => void): void;
  /** Resolves when what was sent has mostly left this process, or the channel is closed. */
  drained(): Promise<void>;
  /** Set once, before the first frame can arrive. */
  onFrame: (frame: Frame) => void;
  /** Bytes that have come so far, whole frames or not. */
  readonly received: number;
  /** Called once. Without an error the channel was closed from this side. */
  onClose: (error?: SottoError) => void;
  /** Closes at once; what was sent before still goes out where that is possible. */
  close(): void;
}

/** Two channels joined in memory, for tests. Bytes go through the decoder, as they would over a network. */
export function memoryPair(maxPayload?: number): [FrameChannel, FrameChannel] {
  const a = new MemoryChannel(maxPayload);
  const b = new MemoryChannel(maxPayload);
  a.other = b;
  b.other = a;
  return [a, b];
}

class MemoryChannel implements FrameChannel {
  other: MemoryChannel | undefined;
  onFrame: (frame: Frame) => void = () => {};
  onClose: (error?: SottoError) => void = () => {};
  received = 0;
  private readonly decoder: FrameDecoder;
  private closed = false;

  constructor(maxPayload?: number) {
    this.decoder = new FrameDecoder((frame) => this.onFrame(frame), maxPayload);
  }

  send(frame: Uint8Array, left?: () => void): void {
    const { other } = this;
    if (this.closed || !other) return;
    queueMicrotask(() => {
      left?.();
      other.receive(frame);
    });
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    if (this.closed) return;
    this.end();
    const { other } = this;
    queueMicrotask(() => other?.end(new SottoError("unreachable", "the other side closed the channel")));
  }

  private receive(bytes: Uint8Array): void {
    if (this.closed) return;
    this.received += bytes.length;
    try {
      this.decoder.push(bytes);
    } catch (error) {
      this.end(error instanceof SottoError ? error : new SottoError("internal", String(error)));
      this.other?.end(new SottoError("unreachable", "the other side closed the channel"));
    }
  }

  private end(error?: SottoError): void {
    if (this.closed) return;
    this.closed = true;
    this.decoder.stop();
    this.onClose(error);
  }
}

/** A connection to another party once both have said who they are: control messages, and frames by their tag. */
import { SottoError } from "@sotto/core";
import type { FrameChannel } from "./channel.js";
import { asSottoError, stateError } from "./codes.js";
import { CONTROL_TAG, type Frame, HEADER_BYTES, type Role, type Tag, tagText } from "./frame.js";
import { type ControlMessage, controlFrame, PROTOCOL_VERSION, parseControl } from "./messages.js";
import { Traffic } from "./traffic.js";

/** Control messages are short; sizes, with the lengths of a batch's sequences, are the largest thing in most. */
const MAX_CONTROL = 2 ** 19;
const MAX_WELCOME = 2 ** 14;

/**
 * Control messages that may wait to leave: many times what honest sessions have under way. Most of them answer something,
 * so whoever sends and never reads would have us queue one for each.
 */
const MAX_WAITING = 4096;

export class Link {
  readonly remote: Role;
  /** Drawn by the other process at its start. */
  readonly remoteBoot: string;
  /** What has gone over it since the welcome; may be replaced by a count that outlives this link. */
  traffic = new Traffic();
  /** Set once, by greet()'s caller. It does not throw. @param bytes of the whole frame. */
  onControl: (message: ControlMessage, bytes: number) => void = () => {};
  /** Longest control message that is read, in bytes. */
  maxControl = MAX_CONTROL;
  /** The shortest time so far from a ping to its answer, in milliseconds. */
  roundTripMs: number | undefined;
  /** Pings without an answer so far, and when the one was sent that is alone among them. */
  private asked = 0;
  private pinged: number | undefined;
  private probes = 0;
  /** Control messages that have not left this process. */
  private waiting = 0;
  private readonly channel: FrameChannel;
  private readonly routes = new Map<Tag, (frame: Frame) => void>();
  private readonly closeListeners = new Set<(error: SottoError) => void>();
  private closedBy: SottoError | undefined;
  /** Called at the next frame, whatever it is. */
  private readonly signsOfLife = new Set<() => void>();

  /** @internal See greet(). */
  constructor(channel: FrameChannel, remote: Role, remoteBoot: string) {
    this.channel = channel;
    this.remote = remote;
    this.remoteBoot = remoteBoot;
    channel.onFrame = (frame) => this.take(frame);
    channel.onClose = (error) => this.closed(error);
  }

  get open(): boolean {
    return this.closedBy === undefined;
  }

  /** Sends a data frame whose header is filled in, or several. */
  send(frame: Uint8Array): void {
    this.traffic.sent.data += frame.length;
    this.channel.send(frame);
  }

  control(message: ControlMessage): void {
    // answers name no question: one is timed only if it is the only one
    if (message.type === "ping") this.pinged = this.asked++ === 0 ? performance.now() : undefined;
    const frame = controlFrame(message);
    this.traffic.sent.control += frame.length;
    this.waiting++;
    this.channel.send(frame, this.left);
    if (this.waiting !== MAX_WAITING + 1) return;
    // the caller may be in the middle of something that the end of this link undoes
    queueMicrotask(() =>
      this.drop(
        new SottoError(
          "protocol",
          `${this.remote} does not read: ${this.waiting} messages to it have not left; expected at most ${MAX_WAITING}`,
        ),
      ),
    );
  }

  drained(): Promise<void> {
    return this.channel.drained();
  }

  /** Asks the other side for a sign of life. @returns false when none comes in time, or the link goes. */
  answers(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (alive: boolean) => {
        clearTimeout(timer);
        this.signsOfLife.delete(heard);
        unlisten();
        resolve(alive);
      };
      const heard = () => settle(true);
      // what has arrived while this process was busy is read before it counts as silence
      const timer = setTimeout(() => setImmediate(settle, false), timeoutMs);
      let unlisten = () => {};
      this.signsOfLife.add(heard);
      unlisten = this.onClose(() => settle(false));
      this.control({ type: "ping" });
    });
  }

  /** Sends pings, each when the one before is answered: the first ones meet processes that are busy with their start. */
  probe(more: number): void {
    this.probes = more;
    this.control({ type: "ping" });
  }

  /** Bytes that have come, also those of a frame that is still on its way. */
  get heard(): number {
    return this.channel.received;
  }

  /**
   * Hands frames of a tag to a session, whose handler does not throw; returns what undoes it.
   * @throws SottoError protocol when the tag is in use: another party has given two things one id.
   */
  route(tag: Tag, handler: (frame: Frame) => void): () => void {
    if (this.routes.has(tag)) {
      const text = `frames with tag ${tagText(tag)} belong to another session already; ids are drawn anew for each`;
      throw new SottoError("protocol", text);
    }
    this.routes.set(tag, handler);
    return () => {
      this.routes.delete(tag);
    };
  }

  /** Called once when the link goes, at once if it has gone; returns what undoes it. */
  onClose(listener: (error: SottoError) => void): () => void {
    if (this.closedBy) {
      listener(this.closedBy);
      return () => {};
    }
    this.closeListeners.add(listener);
    return () => {
      this.closeListeners.delete(listener);
    };
  }

  close(): void {
    this.channel.close();
  }

  /** Closes for a reason that whoever uses the link is told. */
  drop(reason: SottoError): void {
    this.closed(reason);
    this.channel.close();
  }

  private readonly left = () => {
    this.waiting--;
  };

  private take(frame: Frame): void {
    const kind = frame.tag === CONTROL_TAG ? "control" : "data";
    this.traffic.received[kind] += HEADER_BYTES + frame.payload.length;
    if (this.signsOfLife.size > 0) for (const heard of [...this.signsOfLife]) heard();
    if (frame.tag !== CONTROL_TAG) {
      const handler = this.routes.get(frame.tag);
      if (handler) handler(frame);
      else this.control({ type: "unknown-frame", tag: tagText(frame.tag), number: frame.number });
      return;
    }
    try {
      const message = readControl(frame, this.maxControl);
      if (message.type === "ping") this.control({ type: "pong" });
      else if (message.type === "pong") this.answered();
      else this.onControl(message, HEADER_BYTES + frame.payload.length);
    } catch (error) {
      // what cannot be read may have concerned any session: nothing on this connection can be relied upon
      const { code, message } = asSottoError(error);
      this.control({ type: "refused", about: "", code, message: message.slice(0, 500) });
      this.drop(new SottoError(code, `${this.remote}: ${message}`, { cause: error }));
    }
  }

  private answered(): void {
    this.asked = Math.max(0, this.asked - 1);
    if (this.pinged !== undefined) {
      const took = performance.now() - this.pinged;
      this.roundTripMs = Math.min(this.roundTripMs ?? Number.POSITIVE_INFINITY, took);
      this.pinged = undefined;
    }
    if (this.probes > 0 && this.asked === 0) this.probe(this.probes - 1);
  }

  private closed(error?: SottoError): void {
    if (this.closedBy) return;
    this.closedBy = error ?? new SottoError("unreachable", `the connection to ${this.remote} was closed`);
    this.routes.clear();
    for (const listener of [...this.closeListeners]) listener(this.closedBy);
    this.closeListeners.clear();
  }
}

export interface Greeting {
  role: Role;
  /** Drawn at this process's start. */
  boot: string;
}

/**
 * Says who we are and waits for the other side to do so.
 * @param expected the role that the other side's certificate names.
 * @param onLink called at once, since the next message may be in the same chunk of bytes.
 * @param admit of the side that was dialled: it says who it is only once this has resolved for the other process's
 * boot; what this rejects with is stated to the other side.
 * @throws SottoError protocol (another version or role), timeout, or what the other side refused us with.
 */
export function greet(
  channel: FrameChannel,
  self: Greeting,
  expected: Role,
  timeoutMs: number,
  onLink: (link: Link) => void,
  admit?: (boot: string) => Promise<void>,
): Promise<Link> {
  return new Promise((resolve, reject) => {
    let over = false;
    const fail = (error: SottoError) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      reject(error);
      channel.close();
    };
    const timer = setTimeout(() => {
      fail(
        new SottoError("timeout", `${expected} connected but did not say who it is within ${timeoutMs} ms`),
      );
    }, timeoutMs);
    channel.onClose = (error) => fail(error ?? new SottoError("unreachable", "closed"));
    channel.onFrame = (frame) => {
      let message: ControlMessage;
      try {
        message = readControl(frame, MAX_WELCOME);
      } catch (error) {
        fail(asSottoError(error));
        return;
      }
      if (message.type === "refused") return fail(new SottoError(message.code, message.message));
      const stated =
        message.type === "welcome" ? `${message.role}, version ${message.version}` : message.type;
      const wanted = `${expected}, version ${PROTOCOL_VERSION}`;
      if (message.type !== "welcome" || stated !== wanted) {
        return fail(new SottoError("protocol", `the other side says it is ${stated}; expected ${wanted}`));
      }
      const { boot } = message;
      const enter = () => {
        if (over) return;
        clearTimeout(timer);
        if (admit) channel.send(welcome);
        const link = new Link(channel, expected, boot);
        onLink(link);
        resolve(link);
      };
      if (!admit) return enter();
      channel.onFrame = () => fail(new SottoError("protocol", `${expected} did not wait for our welcome`));
      admit(boot).then(enter, (error) => {
        if (!over) channel.send(controlFrame({ type: "refused", about: "", ...stateError(error) }));
        fail(asSottoError(error));
      });
    };
    const welcome = controlFrame({ type: "welcome", version: PROTOCOL_VERSION, ...self });
    if (!admit) channel.send(welcome);
  });
}

function readControl(frame: Frame, most: number): ControlMessage {
  if (frame.tag !== CONTROL_TAG || frame.payload.length > most) {
    throw new SottoError(
      "protocol",
      `expected a control message of at most ${most} bytes, got ${frame.payload.length} bytes ` +
        `with tag ${tagText(frame.tag)}`,
    );
  }
  return parseControl(frame.payload);
}

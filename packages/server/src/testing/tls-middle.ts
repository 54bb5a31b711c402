/** Somebody in the middle of real TLS connections who has the parties' certificates, for tests. */
import type { FrameChannel, Role } from "@sotto/wire";
import { dial, listen, readIdentity } from "@sotto/wire/node";
import type { Middle } from "./middle.js";

export interface TlsMiddleOptions {
  middle: Middle;
  /** Whose place it takes, and where that one listens. */
  as: Role;
  port: () => number;
  /** Who dials it, as whom it dials on. */
  from: readonly Role[];
  /** Files of a role's certificate. */
  tls: (role: Role) => { ca: string; cert: string; key: string };
}

const HOST = "127.0.0.1";
const DIAL_MS = 60_000;

/** Listens in the place of a party, and passes on through a Middle what comes. */
export async function interpose(
  options: TlsMiddleOptions,
): Promise<{ port: number; close(): Promise<void> }> {
  const { middle, as, from, tls } = options;
  const identity = (role: Role) => readIdentity(tls(role), role);
  const join = async (near: FrameChannel, role: Role) => {
    // a greeting may come before there is anybody to pass it on to
    const early: Parameters<FrameChannel["onFrame"]>[0][] = [];
    let gone = false;
    near.onFrame = (frame) => early.push({ ...frame, payload: Uint8Array.from(frame.payload) });
    near.onClose = () => {
      gone = true;
    };
    const far = await dial({ host: HOST, port: options.port() }, identity(role), as, DIAL_MS);
    if (gone) return far.close();
    middle.join([
      [role, near],
      [as, far],
    ]);
    for (const frame of early) near.onFrame(frame);
  };
  return listen(
    { host: HOST, port: 0 },
    identity(as),
    from,
    (near, role) => void join(near, role).catch(() => near.close()),
    () => {},
  );
}

/** What a server's worker has of its own for each worker of the other server: set-ups, sessions, streams. */
import { SottoError } from "@sotto/core";
import { type ControlMessage, heartbeat, type Link } from "@sotto/wire";
import type { CheckedServerConfig } from "../config.js";
import type { Logger } from "../log.js";
import type { Admission } from "../party/admission/admission.js";
import { Connections, type Other } from "../party/connections.js";
import { SetupFollower } from "../party/follower.js";
import { SetupLeader } from "../party/leader.js";
import type { SessionContext } from "../party/session-types.js";
import { Sessions } from "../party/sessions.js";
import type { SetupContext, SetupPart } from "../party/setup-part.js";
import { SetUps } from "../party/setups.js";
import { type StreamPlaces, Streams } from "../party/streams/streams.js";
import type { Mesh } from "./mesh.js";

export type LaneShared = Omit<SessionContext, "setups" | "connections"> & Pick<SetupContext, "models">;

/** The dealer's workers know the same set-ups: to a lane they are one. */
const ANY_DEALER = "workers";

class LaneConnections extends Connections {
  private readonly dealers: () => Mesh;
  private turn = 0;

  constructor(names: Record<Other, string>, dealers: () => Mesh) {
    super(names);
    this.dealers = dealers;
  }

  override get(other: Other): Link | undefined {
    if (other === "peer") return super.get(other);
    const { open } = this.dealers();
    return open[this.turn++ % open.length];
  }

  override need(other: Other): Link {
    return (other === "dealer" && this.get(other)) || super.need(other);
  }

  override boot(other: Other): string {
    return other === "dealer" && this.need(other) ? ANY_DEALER : super.boot(other);
  }
}

export interface LaneOptions {
  /** The other server's worker, by its `boot`. */
  id: string;
  shared: LaneShared;
  config: CheckedServerConfig;
  /** Of all lanes together. */
  admission: Admission;
  streams: StreamPlaces;
  dealers: () => Mesh;
  /** Server 1: server 0 has begun a session here, or refused it. Its other half the front may hold. */
  onBegun: (session: string) => void;
}

export class Lane {
  readonly id: string;
  readonly connections: Connections;
  readonly setups: SetUps;
  readonly sessions: Sessions;
  readonly streams: Streams;
  readonly part: SetupPart;
  private readonly options: LaneOptions;
  private readonly log: Logger;
  private leaving = false;

  constructor(options: LaneOptions) {
    const { id, shared, config, dealers } = options;
    const { party, models } = shared;
    this.id = id;
    this.options = options;
    this.log = shared.log.child({ lane: id.slice(0, 8) });
    this.connections = new LaneConnections({ peer: `server ${1 - party}`, dealer: "the dealer" }, dealers);
    this.setups = new SetUps(models, this.connections);
    const context = {
      ...shared,
      log: this.log,
      setups: this.setups,
      connections: this.connections,
    };
    this.part = party === 0 ? new SetupLeader(context) : new SetupFollower(context);
    const { limits } = config;
    this.sessions = new Sessions(context, options.admission, limits.pool);
    this.streams = new Streams(context, this.sessions, options.streams, limits.streamIdleMs);
  }

  get linked(): boolean {
    return this.connections.get("peer") !== undefined;
  }

  /** Plans that a session may use now, by model. */
  get ready(): Map<string, string> {
    const { models } = this.options.shared;
    const found = new Map<string, string>();
    if (this.linked && !this.leaving) {
      for (const name of models.names()) {
        if (this.setups.isReady(name)) found.set(name, this.setups.need(name).model.hash);
      }
    }
    return found;
  }

  /** A link to the other server's worker is there. */
  attach(link: Link): void {
    const { tally } = this.options.shared;
    const { connections, sessions, part, log } = this;
    connections.up("peer", link);
    link.traffic = tally.traffic(link.remote);
    heartbeat(link, this.options.config.limits.heartbeatMs);
    link.onControl = (message, bytes) => {
      if (this.take("peer", message, bytes)) return;
      if (message.type !== "refused") log.warn({ type: message.type }, "unexpected message");
    };
    link.onClose((error) => {
      connections.down("peer", error.message, link);
      if (!connections.get("peer")) sessions.peerLost(error);
      log.info({ other: "peer", reason: error.message }, "disconnected");
    });
    log.info({ other: "peer" }, "connected");
    part.kick();
  }

  /** @param link of the dealer's worker that it came from. */
  take(from: Other, message: ControlMessage, bytes: number, link?: Link): boolean {
    if (this.leaving && message.type === "setup" && from === "peer") {
      const text = `server ${this.options.shared.party}: this worker is shutting down`;
      const refused = { type: "refused", about: message.setup, code: "unreachable", message: text } as const;
      this.connections.get("peer")?.control(refused);
      return true;
    }
    const taken = this.part.take(from, message) || this.sessions.take(from, message, bytes, link);
    if (this.options.shared.party === 1) this.tellFront(message);
    return taken;
  }

  private tellFront(message: ControlMessage): void {
    const { options, sessions } = this;
    if (message.type === "dealt" || message.type === "assign") options.onBegun(message.session);
    // a half that waits there comes here to hear why
    if (message.type === "abort" && sessions.endedUnasked(message.session)) options.onBegun(message.session);
  }

  /** Takes no new session: server 0 is to use other workers for them. */
  leave(): void {
    this.leaving = true;
    if (this.options.shared.party === 0) return;
    for (const name of this.options.shared.models.names()) {
      const setup = this.setups.isReady(name) && this.setups.need(name).id;
      if (setup) this.connections.get("peer")?.control({ type: "setup-drop", setup });
    }
  }

  close(reason: string): void {
    this.streams.close(reason);
    this.sessions.close(reason);
    this.part.close();
    for (const name of this.options.shared.models.names()) this.setups.remove(name);
    this.setups.close();
    // what is said about it is on its way
    setImmediate(() => this.connections.close());
  }
}

export function noLane(party: 0 | 1): SottoError {
  return new SottoError(
    "unreachable",
    `server ${party}: this worker is linked to none of server ${1 - party}'s workers at the moment; try again`,
  );
}

/** What both servers' parts in set-ups share. */
import type { Ring } from "@sotto/core";
import { asSottoError, type ControlMessage } from "@sotto/wire";
import type { Logger } from "../log.js";
import type { Connections } from "./connections.js";
import type { Model, Models } from "./models.js";
import type { SetUps } from "./setups.js";

/** Either server's part in set-ups. */
export interface SetupPart {
  /** A connection came up, or a model was put: what could not be set up may work now. */
  kick(): void;
  /** A model was removed: its set-up ends here and at the others. */
  removed(name: string): void;
  /** @returns whether the message belonged to a set-up. */
  take(from: "peer" | "dealer", message: ControlMessage): boolean;
  close(): void;
}

export interface SetupContext {
  ring: Ring;
  log: Logger;
  timeoutMs: number;
  models: Models;
  setups: SetUps;
  connections: Connections;
}

/** A version is set up at this server: the ones before it go. */
export function settle({ models, log }: SetupContext, model: Model): void {
  models.settle(model).catch((error: unknown) => {
    log.error(
      { model: model.name, reason: asSottoError(error).message },
      "an old version could not be removed",
    );
  });
}

/** The ids that sessions of a server have used: none is taken twice, and one that ended before its request came says why. */
import { SottoError } from "@sotto/core";
import { Seen } from "../seen.js";

/** Reasons kept for requests that come after their session's end. */
const KEPT_REASONS = 1000;

export class SessionIds {
  private readonly taken = new Seen();
  private readonly endedEarly = new Map<string, SottoError>();

  /** @param advice to who has drawn the id. @throws SottoError conflict for an id that was used before. */
  checkNew(id: string, advice = "a session id serves one input, draw a new one"): void {
    if (this.taken.has(id)) throw new SottoError("conflict", `session ${id} was opened before; ${advice}`);
  }

  /** From now on the id is used. @throws SottoError what ended its session before. */
  take(id: string): void {
    this.taken.add(id);
    const reason = this.endedEarly.get(id);
    this.endedEarly.delete(id);
    if (reason) throw reason;
  }

  /** Its session has ended before a request for it came; one that comes yet hears this. */
  ended(id: string, reason: SottoError): void {
    this.endedEarly.set(id, reason);
    if (this.endedEarly.size > KEPT_REASONS) this.endedEarly.delete(this.endedEarly.keys().next().value!);
  }

  /** Whether a request has come for it. */
  isTaken(id: string): boolean {
    return this.taken.has(id);
  }

  /** Why its session ended, where that was before its request. */
  reason(id: string): SottoError | undefined {
    return this.endedEarly.get(id);
  }

  /** Whether a session that does not run can have this id no more. */
  isOver(id: string): boolean {
    return this.taken.has(id) || this.endedEarly.has(id);
  }
}

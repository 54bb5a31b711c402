/** A role belongs to one process at a time: who may come in while another process has it. */
import { SottoError } from "@sotto/core";
import type { Link, Role } from "@sotto/wire";

/** For the process that has the role to show that it is there; after a crash nobody does. */
const PROBE_MS = 2000;

/**
 * @param boot of the process that comes: the same one is let in at once, it has lost its connection.
 * @throws (rejects with) SottoError conflict while another process is there and answers.
 */
export async function admit(present: Link | undefined, role: Role, boot: string): Promise<void> {
  if (!present || present.remoteBoot === boot || !(await present.answers(PROBE_MS))) return;
  throw new SottoError("conflict", `another ${role} is connected already; stop one of the two`);
}

/**
 * Whatever ends this process, what it started or wrote is cleared away: actions run when it exits, and the
 * signals that would end it without that end it through process.exit. Actions are synchronous, since nothing
 * else runs at that point. (SIGKILL runs nothing; the children see to it, cluster/party.ts.)
 */
import { constants } from "node:os";

const actions = new Set<() => void>();
let installed = false;

/** Runs `action` when the process exits. Returns the way to take that back. */
export function atExit(action: () => void): () => void {
  install();
  actions.add(action);
  return () => actions.delete(action);
}

function install(): void {
  if (installed) return;
  installed = true;
  process.on("exit", () => {
    for (const action of actions) {
      try {
        action();
      } catch {
        // the other actions matter more than the reason
      }
    }
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!caught) exitAs(signal);
    });
  }
}

/** Ends as the signal would have: with its exit code, when all actions have run. */
export function exitAs(signal: NodeJS.Signals): never {
  process.exit(128 + constants.signals[signal]);
}

let caught = false;

/** Resolves with the first SIGINT, SIGTERM or SIGHUP; a second one ends the process as usual. */
export function untilSignal(): Promise<NodeJS.Signals> {
  install();
  caught = true;
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      // only now: the handlers of install() see this very signal, too
      setImmediate(() => {
        caught = false;
      });
      resolve(signal);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);
  });
}

/** Private runs of a case: one at a time, the last input wins, and what they cost together. */

import type { Outputs } from "@sotto/client";
import type { NumberTensor } from "@sotto/core";
import { useCallback, useRef, useState } from "preact/hooks";
import type { Connection } from "./cluster.js";
import { LOOK, type Run, runOf } from "./run.js";
import { type Plain, plainly } from "./words.js";

export interface Wanted<T> {
  input: Record<string, NumberTensor>;
  /** Words that are shared: values of the input, after look-up. */
  words: number;
  /** What the input is, for the view. */
  of: T;
  /** The same input as before: the page compares. */
  again: boolean;
}

export interface Done<T> {
  run: Run;
  outputs: Outputs;
  of: T;
}

export interface Runs<T> {
  done: Done<T> | undefined;
  /** The run before, where it had the same input. */
  before: Done<T> | undefined;
  running: boolean;
  /** Of all runs since there was no input. */
  rounds: number;
  error: Plain | undefined;
  start(wanted: Wanted<T>): void;
  /** There is no input any more: what is known of the last one goes. */
  clear(): void;
  /** The last input that failed, once more. */
  retry(): void;
}

export function useRuns<T>(connection: Connection, name: string): Runs<T> {
  const [state, setState] = useState<Omit<Runs<T>, "start" | "clear" | "retry">>({
    done: undefined,
    before: undefined,
    running: false,
    rounds: 0,
    error: undefined,
  });
  const next = useRef<Wanted<T> | undefined>(undefined);
  const last = useRef<Wanted<T> | undefined>(undefined);
  const busy = useRef(false);
  const cleared = useRef(0);
  const number = useRef(0);

  const start = useCallback(
    async (wanted: Wanted<T>) => {
      next.current = wanted;
      if (busy.current) return;
      busy.current = true;
      setState((s) => ({ ...s, running: true }));
      while (next.current) {
        last.current = next.current;
        const { input, words, of, again } = last.current;
        next.current = undefined;
        const since = cleared.current;
        try {
          const model = await connection.model(name);
          let shares: readonly [Uint8Array, Uint8Array] | undefined;
          const { outputs, stats } = await model.infer(input, {
            look: LOOK,
            roundTimes: true,
            onProgress: (p) => {
              if (p.stage === "sent") shares = p.shares;
            },
          });
          const bits = Math.floor((shares![0].length * 8) / words);
          const run = runOf(++number.current, shares!, stats, bits);
          if (since !== cleared.current) continue;
          setState((s) => ({
            ...s,
            done: { run, outputs, of },
            before: again ? s.done : undefined,
            rounds: s.rounds + stats.rounds,
            error: undefined,
          }));
        } catch (error) {
          if (since === cleared.current) setState((s) => ({ ...s, error: plainly(error) }));
        }
      }
      busy.current = false;
      setState((s) => ({ ...s, running: false }));
    },
    [connection, name],
  );
  const clear = useCallback(() => {
    next.current = undefined;
    cleared.current++;
    setState((s) => ({ ...s, done: undefined, before: undefined, rounds: 0, error: undefined }));
  }, []);
  const retry = useCallback(() => {
    if (last.current) void start(last.current);
  }, [start]);
  return { ...state, start, clear, retry };
}

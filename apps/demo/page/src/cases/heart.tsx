/** A running ECG, classified beat by beat through a stream. */

import type { ModelStream } from "@sotto/client";
import {
  type Beat,
  BeatDetector,
  BeatFeatures,
  beatClasses,
  beatClassNames,
  EcgGenerator,
  FEATURES,
  RATE,
  type Rhythm,
  readCsv,
  resample,
  rhythms,
} from "@sotto/example-heart";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Connection } from "../cluster.js";
import { Figures } from "../figures.js";
import { joined, LOOK, type Run, runOf } from "../run.js";
import { Sides } from "../sides.js";
import { Trouble } from "../trouble.js";
import { count, type Plain, percent, plainly } from "../words.js";
import type { Case, CaseProps } from "./case.js";
import { best, softmax } from "./scores.js";
import { Signal, Strip } from "./strip.js";

/** Samples come in blocks of so many milliseconds. */
const BLOCK_MS = 100;
const BLOCK = Math.round((RATE * BLOCK_MS) / 1000);
/** Beats on their way; more are left out, when the servers are slower than the heart. */
const MOST = 8;
/** Beats that are drawn together: one alone has few bytes. */
const TOGETHER = 24;
/** Answers that are kept, to compare with. */
const KEPT = 2000;

/** In the list of rhythms. */
const OWN = "own";

/** What to expect of the labels. */
const ABOUT: Record<Rhythm, string> = {
  normal: "Each beat begins in the sinus node: N.",
  "premature-ventricular": "Every few beats one begins in a ventricle, early and wide: V.",
  "premature-atrial": "Every few beats one begins early in an atrium, and looks almost like the others: S.",
  tachycardia:
    "About 140 beats a minute. The label is of where a beat begins, not of the rate: a fast heart alone makes no beat " +
    "ectopic, so each beat of this sinus tachycardia is rightly N.",
  "ventricular-runs": "Now and then several beats in a row begin in a ventricle: V.",
};

export const heart: Case = { id: "heart", title: "Heart", View };

interface Said {
  label: (typeof beatClasses)[number];
  sure: number;
  run: Run;
  /** Of its R peak, from the beginning of the signal. */
  sample: number;
}

interface Source {
  next(samples: number): ArrayLike<number>;
}

/** A stream, its shares as they go out, and the beats in the order in which they went. */
class Listener {
  private stream: Promise<ModelStream> | undefined;
  private sent: (readonly [Uint8Array, Uint8Array])[] = [];
  private readonly features = new BeatFeatures();
  private waiting = 0;
  private number = 0;
  private readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** What the servers say of the next beat; nothing when too many are on their way. */
  async hear(beat: Beat): Promise<Said | undefined> {
    const data = this.features.next(beat);
    if (this.waiting >= MOST) return undefined;
    this.waiting++;
    try {
      this.stream ??= this.open();
      const stream = await this.stream;
      const { outputs, stats } = await stream.step({ beats: { shape: [1, 1, FEATURES], data } });
      const shares = this.sent.shift()!;
      const scores = softmax(outputs.logits!.data);
      const bits = Math.floor((shares[0].length * 8) / FEATURES);
      const at = best(scores);
      const run = runOf(++this.number, shares, stats, bits);
      return { label: beatClasses[at]!, sure: scores[at]!, run, sample: beat.sample };
    } finally {
      this.waiting--;
    }
  }

  close(): void {
    this.stream?.then((stream) => stream.close()).catch(() => {});
  }

  private async open(): Promise<ModelStream> {
    const model = await this.connection.model("heart");
    return model.stream({ look: LOOK, onSent: (shares) => this.sent.push(shares) });
  }
}

function View({ connection }: CaseProps) {
  const [rhythm, setRhythm] = useState<Rhythm>("normal");
  /** Without samples for a file that cannot be read: nothing is played. */
  const [own, setOwn] = useState<{ name: string; samples: Float32Array }>();
  const file = useRef<HTMLInputElement>(null);
  const [running, setRunning] = useState(true);
  /** Counts replays: the same signal from its beginning. */
  const [replay, setReplay] = useState(0);
  const [said, setSaid] = useState<Said[]>([]);
  const [first, setFirst] = useState<Said[]>([]);
  const [rounds, setRounds] = useState(0);
  const [error, setError] = useState<Plain>();
  const [wrong, setWrong] = useState<Plain>();
  const [signal, setSignal] = useState(() => new Signal());
  const source = useRef<Source>(undefined as never);
  const generator = useRef<EcgGenerator | undefined>(undefined);
  const played = useRef<number[]>([]);

  useEffect(() => {
    const strip = new Signal();
    setSignal(strip);
    setSaid([]);
    setError(undefined);
    const detector = new BeatDetector();
    const listener = new Listener(connection);
    source.current = sourceOf(
      own?.samples,
      played.current.length > 0 ? played.current : undefined,
      (made) => {
        generator.current = made;
        made.rhythm = rhythm;
      },
    );
    const heard: number[] = [];
    let over = false;
    const timer = setInterval(() => {
      if (over || !runningNow.current) return;
      const samples = source.current.next(BLOCK);
      if (samples.length === 0) return;
      for (let i = 0; i < samples.length; i++) heard.push(samples[i]!);
      strip.push(samples);
      for (const beat of detector.push(samples)) {
        listener.hear(beat).then(
          (result) => {
            if (over || !result) return;
            strip.marks.push({ sample: beat.sample, label: result.label });
            setSaid((all) => [...all.slice(1 - KEPT), result]);
            setRounds((n) => n + result.run.stats.rounds);
          },
          (cause) => {
            if (over) return;
            over = true;
            setError(plainly(cause));
          },
        );
      }
    }, BLOCK_MS);
    record.current = heard;
    return () => {
      over = true;
      clearInterval(timer);
      listener.close();
    };
  }, [connection, own, replay]);

  const record = useRef<number[]>([]);
  const runningNow = useRef(running);
  runningNow.current = running;
  useEffect(() => {
    if (generator.current) generator.current.rhythm = rhythm;
  }, [rhythm]);

  const again = () => {
    played.current = record.current;
    setFirst(said);
    setRunning(true);
    setReplay((n) => n + 1);
  };
  const fresh = () => {
    played.current = [];
    setFirst([]);
  };

  const last = said.at(-1);
  const drawn = said.slice(-TOGETHER);
  // the same beats, and not as many: some may have been left out
  const pairs = said.map((now) => ({ now, old: first.find(({ sample }) => sample === now.sample) }));
  const earlier = pairs.slice(-TOGETHER).flatMap(({ old }) => (old ? [old.run] : []));
  const compared = pairs.filter(({ old }) => old).length;
  const same = pairs.filter(({ now, old }) => now.label === old?.label).length;
  return (
    <>
      <div class="try">
        <div class="row">
          <label for="rhythm">Rhythm, generated</label>
          <select
            id="rhythm"
            value={own ? OWN : rhythm}
            onChange={(event) => {
              setRhythm(event.currentTarget.value as Rhythm);
              setWrong(undefined);
              // its name would say that it is played
              if (file.current) file.current.value = "";
              if (own || first.length > 0) {
                fresh();
                setOwn(undefined);
                setReplay((n) => n + 1);
              }
            }}
          >
            {own && <option value={OWN}>your own file</option>}
            {rhythms.map((name) => (
              <option key={name} value={name}>
                {name.replaceAll("-", " ")}
              </option>
            ))}
          </select>
          <label for="csv">or your own CSV file, read in this page</label>
          <input
            id="csv"
            ref={file}
            type="file"
            accept=".csv,.txt,.tsv"
            onChange={async (event) => {
              const file = event.currentTarget.files?.[0];
              if (!file) return;
              fresh();
              setRunning(true);
              try {
                const { samples, rate } = readCsv(await file.text());
                const known = rate ?? Number(prompt("Samples a second of this file?", "360"));
                if (!(known > 0)) throw new Error("it has no times; say how many samples a second it has");
                setOwn({ name: file.name, samples: Float32Array.from(resample(samples, known, RATE)) });
                setWrong(undefined);
              } catch (cause) {
                const { detail } = plainly(cause);
                setWrong({ text: `This file cannot be read as a signal: ${detail}`, detail });
                setOwn({ name: file.name, samples: new Float32Array(0) });
              }
            }}
          />
        </div>
        <div class="row">
          <button type="button" onClick={() => setRunning(!running)} aria-pressed={!running}>
            Pause
          </button>
          <button type="button" class="main" disabled={said.length < 2} onClick={again}>
            Run the same again
          </button>
        </div>
        <p class="soft small">{own ? "" : ABOUT[rhythm]}</p>
        <Strip signal={signal} rate={RATE} />
      </div>
      {wrong && <Trouble error={wrong} />}
      {error && <Trouble error={error} onAgain={() => setReplay((n) => n + 1)} />}
      <div class="answers">
        {last ? (
          <p class={last.label === "N" ? "answer" : "answer bad"}>
            <span class="soft">Private, beat {last.run.number}</span>
            <strong>{last.label}</strong>
            <span>
              {beatClassNames[last.label]}, {percent(last.sure)} sure
            </span>
          </p>
        ) : (
          !error &&
          !wrong && (
            <p class="soft">
              {own
                ? `No answer yet: it takes two heartbeats, and there may be none in ${own.name}.`
                : "Listening for the first beats …"}
            </p>
          )
        )}
        {compared > 0 && (
          <p class="same" role="status">
            The same signal again: the same answer to {same} of {count(compared, "beat")}. What the servers
            saw is new, see below.
          </p>
        )}
      </div>
      <Figures run={last?.run} rounds={rounds} running={running} />
      <Sides
        run={joined(drawn.map(({ run }) => run))}
        before={earlier.length === drawn.length ? joined(earlier) : undefined}
      >
        <p class="own">
          {wrong
            ? `Nothing of ${own?.name}.`
            : `${own ? `The signal of ${own.name}` : "An electrocardiogram"}: ${FEATURES} numbers for each beat, of its shape and of the time between beats`}
          {last && (
            <>
              {`; the last ${drawn.length === 1 ? "beat is" : `${drawn.length} beats are`} drawn; and the answer: `}
              <strong>{last.label}</strong>.
            </>
          )}
        </p>
      </Sides>
      <p class="soft small">
        The servers keep the network's state between beats, as shares. The model is an example and no medical
        device.
      </p>
    </>
  );
}

/** What was played before, or the visitor's own signal, or a generated one, which goes on after what was played. */
function sourceOf(
  own: Float32Array | undefined,
  before: number[] | undefined,
  onGenerator: (made: EcgGenerator) => void,
): Source {
  const made = new EcgGenerator({ random: Math.random, rate: RATE });
  onGenerator(made);
  const fixed = before ?? own;
  let at = 0;
  return {
    next(samples) {
      if (fixed && at < fixed.length) {
        const part = fixed.slice(at, at + samples);
        at += part.length;
        return part;
      }
      return fixed ? [] : made.next(samples).samples;
    },
  };
}

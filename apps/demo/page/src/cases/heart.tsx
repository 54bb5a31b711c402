/** A running ECG, classified beat by beat through a stream. */

import {
  BeatDetector,
  beatClassNames,
  EcgGenerator,
  FEATURES,
  RATE,
  type Rhythm,
  rhythms,
} from "@sotto/example-heart";
import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../button.js";
import { Figures } from "../figures.js";
import { FileChooser } from "../file.js";
import { joined } from "../run.js";
import { Sides } from "../sides.js";
import { Trouble } from "../trouble.js";
import { count, type Plain, percent, plainly } from "../words.js";
import type { Case, CaseProps } from "./case.js";
import { Listener, type Said } from "./listener.js";
import { aboutOwn, atRate, type OwnSignal, readOwn, unread } from "./own-signal.js";
import { RateField } from "./rate.js";
import { Signal, Strip } from "./strip.js";

/** Samples come in blocks of so many milliseconds. */
const BLOCK_MS = 100;
const BLOCK = Math.round((RATE * BLOCK_MS) / 1000);
/** Beats that are drawn together: one alone has few bytes. */
const TOGETHER = 24;
/** Answers that are kept, to compare with. */
const KEPT = 2000;
/** The rounds of a beat are replayed before the next one is there. */
const REPLAY_MS = 500;

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

type Next = (samples: number) => ArrayLike<number>;

function View({ connection }: CaseProps) {
  const [rhythm, setRhythm] = useState<Rhythm>("normal");
  const [own, setOwn] = useState<OwnSignal>();
  /** Counts what was chosen: a file that is read too late is left. */
  const choices = useRef(0);
  const [running, setRunning] = useState(true);
  const [ended, setEnded] = useState(false);
  /** Counts replays: the same signal from its beginning. */
  const [replay, setReplay] = useState(0);
  const [said, setSaid] = useState<Said[]>([]);
  const [first, setFirst] = useState<Said[]>([]);
  const [rounds, setRounds] = useState(0);
  const [error, setError] = useState<Plain>();
  const [wrong, setWrong] = useState<Plain>();
  const [signal, setSignal] = useState(() => new Signal());
  const generator = useRef<EcgGenerator | undefined>(undefined);
  /** What is to be played once more. */
  const played = useRef<number[] | undefined>(undefined);

  useEffect(() => {
    const strip = new Signal();
    setSignal(strip);
    setSaid([]);
    setError(undefined);
    setEnded(false);
    const detector = new BeatDetector();
    const listener = new Listener(connection);
    const fixed = played.current ?? own?.samples;
    const made = new EcgGenerator({ random: Math.random, rate: RATE, rhythm });
    generator.current = made;
    const next: Next = fixed ? partsOf(fixed) : (samples) => made.next(samples).samples;
    const heard: number[] = [];
    let over = false;
    const timer = setInterval(() => {
      if (over || !runningNow.current) return;
      const samples = next(BLOCK);
      if (samples.length === 0) {
        setEnded(true);
        return;
      }
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
  /** From the beginning, with nothing to compare with. */
  const anew = () => {
    played.current = undefined;
    setFirst([]);
    setRounds(0);
    setRunning(true);
    setReplay((n) => n + 1);
  };
  /** Plays a file, or nothing where it cannot be read so. */
  const play = (read: () => OwnSignal, otherwise: OwnSignal) => {
    choices.current++;
    anew();
    try {
      setOwn(read());
      setWrong(undefined);
    } catch (cause) {
      const detail = plainly(cause).detail.replace(/^CSV: /, "");
      setWrong({ text: `${otherwise.name} cannot be read as a signal: ${detail}.`, detail });
      setOwn(otherwise);
    }
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
              choices.current++;
              setRhythm(event.currentTarget.value as Rhythm);
              setWrong(undefined);
              if (own || first.length > 0 || ended) anew();
              setOwn(undefined);
            }}
          >
            {own && <option value={OWN}>your own file</option>}
            {rhythms.map((name) => (
              <option key={name} value={name}>
                {name.replaceAll("-", " ")}
              </option>
            ))}
          </select>
          <FileChooser
            label="or your own CSV file, read in this page"
            accept=".csv,.txt,.tsv"
            name={own?.name}
            onFile={async (file) => {
              const choice = ++choices.current;
              const text = await file.text().catch((cause: Error) => cause);
              if (choice !== choices.current) return;
              play(() => {
                if (text instanceof Error) throw text;
                return readOwn(file.name, text);
              }, unread(file.name));
            }}
          />
        </div>
        {own && !own.timed && (
          <RateField
            rate={own.rate}
            onRate={(rate) => play(() => atRate(own, rate), { ...own, rate, samples: new Float32Array(0) })}
          />
        )}
        <div class="row">
          {ended && !wrong ? (
            <Button key="listen" onClick={anew}>
              {own ? "From the beginning" : "Go on listening"}
            </Button>
          ) : (
            <Button
              key="listen"
              idle={wrong !== undefined}
              pressed={!running}
              onClick={() => setRunning(!running)}
            >
              Pause
            </Button>
          )}
          <Button class="main" idle={said.length < 2} onClick={again}>
            Run the same again
          </Button>
        </div>
        <p class="soft small">
          {own ? (wrong ? "" : aboutOwn(own)) : ABOUT[rhythm]}
          {ended && !wrong && " The signal has ended."}
        </p>
        <Strip signal={signal} rate={RATE} />
      </div>
      {wrong && <Trouble error={wrong} />}
      {error && <Trouble error={error} onAgain={() => setReplay((n) => n + 1)} />}
      <div class="answers">
        {last ? (
          <p class={last.label === "N" ? "answer" : "answer bad"}>
            <span class="soft">Private, beat {last.run.number}</span>
            <strong>{last.label}</strong>
            <span>{beatClassNames[last.label]}</span>
            <span>{percent(last.sure)} sure</span>
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
      <Figures run={last?.run} rounds={rounds} running={running && !ended} what="beat" replayMs={REPLAY_MS} />
      <Sides
        run={joined(drawn.map(({ run }) => run))}
        before={earlier.length === drawn.length ? joined(earlier) : undefined}
      >
        <p class="own">
          {wrong
            ? "Nothing that could be sent: the file cannot be read."
            : `${own ? `The signal of ${own.name}` : "An electrocardiogram"}: ${FEATURES} numbers for each beat, of its shape and of the time between beats${last ? "" : "."}`}
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

/** A signal part by part; nothing after its end. */
function partsOf(signal: readonly number[] | Float32Array): Next {
  let at = 0;
  return (samples) => {
    const part = signal.slice(at, at + samples);
    at += part.length;
    return part;
  };
}

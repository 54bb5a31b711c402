/** A message, spam or not, as one types. */
import { encode, tokenize, UNKNOWN, type Vocabulary, words as wordsOf } from "@sotto/example-spam/tokenizer";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import modelUrl from "../../../../../examples/spam/model/spam.onnx?url";
import vocabularyUrl from "../../../../../examples/spam/model/vocabulary.json?url";
import { Button } from "../button.js";
import { Figures } from "../figures.js";
import { loadPlaintext, type Plaintext } from "../plaintext.js";
import { useRuns } from "../runs.js";
import { Sides } from "../sides.js";
import { Trouble } from "../trouble.js";
import { count, type Plain, percent, plainly } from "../words.js";
import type { Case, CaseProps } from "./case.js";

const DEBOUNCE_MS = 250;
/** Values of an embedded word. */
const DIMENSIONS = 48;
const SAMPLES = {
  offer:
    "You have been selected! Get your FREE credit report now, no obligation. Click here to claim your $500 bonus, " +
    "limited time offer. To be removed from our mailing list reply to this email.",
  note:
    "Hi Anna, the build on the test machine is broken since last night: the patch for the parser was not applied. " +
    "I think the old version of the package is still installed. Could you have a look when you are back?",
};

export const text: Case = { id: "text", title: "Text", View };

function View({ connection }: CaseProps) {
  const [message, setMessage] = useState(SAMPLES.offer);
  const [vocabulary, setVocabulary] = useState<Vocabulary>();
  const [wrong, setWrong] = useState<Plain>();
  const [asked, setAsked] = useState(false);
  const engine = useRef<Promise<Plaintext> | undefined>(undefined);
  /** The plaintext model's, and the message that it is of. */
  const [plain, setPlain] = useState<{ of: string; score: number }>();
  const runs = useRuns<string>(connection, "spam");
  const timer = useRef(0);

  useEffect(() => {
    fetch(vocabularyUrl)
      .then((reply) => reply.json())
      .then(setVocabulary, (error) => setWrong(plainly(error)));
  }, []);

  const run = (of: string, again = false) => {
    if (!vocabulary) return;
    const data = tokenize(of, vocabulary);
    const input = { tokens: { shape: [1, vocabulary.length], data } };
    runs.start({ input, words: vocabulary.length * DIMENSIONS, of, again });
  };

  const read = useMemo(() => (vocabulary ? reading(message, vocabulary) : undefined), [message, vocabulary]);
  useEffect(() => {
    clearTimeout(timer.current);
    if (!read?.known) {
      runs.clear();
      return;
    }
    timer.current = window.setTimeout(() => run(message), runs.done ? DEBOUNCE_MS : 0);
    return () => clearTimeout(timer.current);
  }, [message, read]);

  useEffect(() => {
    if (!asked || !vocabulary || !runs.done) return;
    const { of } = runs.done;
    const answer = async () => {
      engine.current ??= loadPlaintext(modelUrl);
      const model = await engine.current;
      const data = BigInt64Array.from(tokenize(of, vocabulary), BigInt);
      const { logits } = await model.run({ tokens: { type: "int64", data, shape: [1, vocabulary.length] } });
      setPlain({ of, score: spamScore(logits!) });
    };
    answer().catch((error) => {
      engine.current = undefined;
      setAsked(false);
      setWrong(plainly(error));
    });
  }, [asked, vocabulary, runs.done]);

  const { done, before } = runs;
  const score = done && spamScore(done.outputs.logits!.data);
  const scoreBefore = before && spamScore(before.outputs.logits!.data);
  return (
    <>
      <div class="try">
        <label for="message">Type or paste a message. It is classified as you type.</label>
        <textarea
          id="message"
          rows={5}
          value={message}
          onInput={(event) => setMessage(event.currentTarget.value)}
        />
        {read && <p class="soft small hint">{hint(read)}</p>}
        <div class="row">
          <Button onClick={() => setMessage(SAMPLES.offer)}>An offer</Button>
          <Button onClick={() => setMessage(SAMPLES.note)}>A note</Button>
          <Button pressed={asked} onClick={() => setAsked(!asked)}>
            Compare with plaintext
          </Button>
          <Button class="main" idle={!done || runs.running} onClick={() => done && run(done.of, true)}>
            Run the same again
          </Button>
        </div>
      </div>
      {wrong && <Trouble error={wrong} />}
      {runs.error && <Trouble error={runs.error} onAgain={runs.retry} />}
      <div class="answers" aria-live="polite" aria-busy={runs.running}>
        {score !== undefined && <Answer title="Private" score={score} />}
        {asked &&
          done &&
          (plain?.of === done.of ? (
            <Answer title="Plaintext, here" score={plain.score} />
          ) : (
            <p class="soft">{plain ? "The plaintext model runs …" : "Loading the plaintext model …"}</p>
          ))}
        {score !== undefined && scoreBefore !== undefined && (
          <p class="same">
            {label(score) === label(scoreBefore)
              ? `The same answer: ${label(score)}, ${percent(certainty(score), 2)} (before: ${percent(certainty(scoreBefore), 2)}). What the servers saw is new, see below.`
              : "Another answer: the scores are too close to a half."}
          </p>
        )}
      </div>
      <Figures run={done?.run} rounds={runs.rounds} running={runs.running} />
      <Sides run={done?.run} before={before?.run}>
        <p class="own">
          {done
            ? `“${short(done.of)}”${vocabulary ? whatIsRead(reading(done.of, vocabulary)) : ""}`
            : unsent(message, read)}
          {score !== undefined && (
            <>
              ; and the answer: <strong>{label(score)}</strong>.
            </>
          )}
        </p>
      </Sides>
    </>
  );
}

interface Reading {
  /** Words of the message, of which the network reads the first ones. */
  words: number;
  read: number;
  /** Of those that it reads. */
  known: number;
}

function reading(message: string, vocabulary: Vocabulary): Reading {
  const words = wordsOf(message);
  const read = encode(words.slice(0, vocabulary.length), vocabulary);
  return { words: words.length, read: read.length, known: read.filter((n) => n !== UNKNOWN).length };
}

/** What becomes of the message, where that is not what one expects. */
function hint({ words, read, known }: Reading): string {
  if (words === 0) return "There is no word here, and nothing is sent.";
  if (known === 0) return "The network knows none of these words: it could only guess, and nothing is sent.";
  if (words > read) {
    const ignored = words - read;
    return `The network reads the first ${read} words; the ${ignored === 1 ? "last one is" : `other ${ignored} are`} ignored.`;
  }
  return "";
}

/** What the visitor has before there is an answer. */
function unsent(message: string, read: Reading | undefined): string {
  if (!read?.words) return "No message yet: nothing is sent.";
  if (!read.known) return `“${short(message)}”: no word that the network knows, and nothing is sent.`;
  return `“${short(message)}”: on its way.`;
}

function whatIsRead({ read, known }: Reading): string {
  const all = `, of which the network reads ${count(read, "word")}`;
  return known === read ? all : `${all} and knows ${known}`;
}

function Answer({ title, score }: { title: string; score: number }) {
  return (
    <p class={score > 0.5 ? "answer bad" : "answer"}>
      <span class="soft">{title}</span>
      <strong>{label(score)}</strong>
      <span>{percent(certainty(score), 2)} sure</span>
    </p>
  );
}

/** Probability of spam, from the logits of ham and spam. */
function spamScore(logits: ArrayLike<number>): number {
  return 1 / (1 + Math.exp(logits[0]! - logits[1]!));
}

function label(score: number): "spam" | "not spam" {
  return score > 0.5 ? "spam" : "not spam";
}

function certainty(score: number): number {
  return Math.max(score, 1 - score);
}

function short(text: string): string {
  return text.length > 90 ? `${text.slice(0, 90)} …` : text;
}

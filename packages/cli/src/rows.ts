/** Time steps as lines of text: numbers between commas or spaces, or JSON. */
import { type NumberTensor, SottoError } from "@sotto/core";

/** One input of a stream. */
export interface RowInput {
  name: string;
  /** With as many time steps as are sent together. */
  shape: number[];
  /** Without one it is an initial state: in the first line, whole. */
  timeAxis?: number;
}

/** What is sent together. */
export interface Steps {
  values: Record<string, NumberTensor>;
  /** An error of the values, with the line of the element that it names. */
  located(error: unknown): unknown;
}

type Row = Record<string, number[]>;

/**
 * The lines' time steps, as many together as the shapes say. A line is one time step: numbers, or a JSON list of them, for a
 * model with one input; or a JSON object with a list for each input. A first line of words is taken for a table's head.
 * @throws SottoError bad-input naming the line, never its content.
 */
export async function* stepsOf(
  lines: AsyncIterable<string>,
  inputs: readonly RowInput[],
): AsyncGenerator<Steps> {
  const timed = inputs.filter((i) => i.timeAxis !== undefined);
  const initial = inputs.filter((i) => i.timeAxis === undefined);
  const steps = timed[0]!.shape[timed[0]!.timeAxis!]!;
  let rows: Row[] = [];
  let numbers: number[] = [];
  let number = 0;
  let first = true;
  for await (const line of lines) {
    number++;
    if (line.trim() === "" || (number === 1 && isHead(line))) continue;
    const wrong = (why: string) => new SottoError("bad-input", `line ${number}: ${why}`);
    const row = parseRow(line, timed, wrong);
    const expected = [...timed, ...(first && rows.length === 0 ? initial : [])];
    for (const { name, shape, timeAxis } of expected) {
      const size = shape.reduce((n, d) => n * d, 1) / (timeAxis === undefined ? 1 : steps);
      const found = row[name]?.length ?? 0;
      if (found !== size) throw wrong(`${found} numbers for input ${name}, expected ${size}`);
    }
    const unknown = Object.keys(row).find((name) => !expected.some((i) => i.name === name));
    if (unknown !== undefined) throw wrong(`input ${unknown} is not taken here`);
    rows.push(row);
    numbers.push(number);
    if (rows.length < steps) continue;
    const given = Object.fromEntries(timed.map((i) => [i.name, tensorOf(i, rows, steps)]));
    if (first)
      for (const { name, shape } of initial)
        given[name] = { shape, data: Float64Array.from(rows[0]![name]!) };
    const at = numbers;
    yield { values: given, located: (error) => located(error, inputs, steps, at) };
    rows = [];
    numbers = [];
    first = false;
  }
  if (rows.length > 0) {
    throw new SottoError("bad-input", `the input ends with ${rows.length} of the ${steps} steps of a chunk`);
  }
}

/** @param numbers of the lines, one a step. */
function located(
  error: unknown,
  inputs: readonly RowInput[],
  steps: number,
  numbers: readonly number[],
): unknown {
  if (!(error instanceof SottoError) || !error.at) return error;
  const { input, element } = error.at;
  const about = inputs.find((i) => i.name === input);
  if (!about) return error;
  const inner = innerSize(about);
  const step = Math.floor(element / inner) % steps;
  const within = Math.floor(element / (inner * steps)) * inner + (element % inner);
  // the index along each axis is of the chunk: a line has its numbers one after the other
  const message = error.message.replace(/element \d+( \(\[[\d,]+\]\))?/, `element ${within}`);
  return new SottoError(error.code, `line ${numbers[step]}: ${message}`, { cause: error });
}

/** Elements of one time step that lie together; all of an initial state. */
function innerSize({ shape, timeAxis }: RowInput): number {
  return shape.slice(timeAxis === undefined ? 0 : timeAxis + 1).reduce((n, d) => n * d, 1);
}

function isHead(line: string): boolean {
  return !/^\s*[[{]/.test(line) && fields(line).every((word) => Number.isNaN(Number(word)));
}

function fields(line: string): string[] {
  return line
    .trim()
    .split(/\s*[,;\t]\s*|\s+/)
    .filter((word) => word !== "");
}

function parseRow(line: string, inputs: readonly RowInput[], wrong: (why: string) => SottoError): Row {
  let value: unknown;
  if (/^\s*[[{]/.test(line)) {
    try {
      value = JSON.parse(line);
    } catch {
      // the parser's own message quotes the line
      throw wrong("not JSON");
    }
  } else value = fields(line).map(Number);
  if (Array.isArray(value)) {
    if (inputs.length !== 1) {
      const names = inputs.map((i) => i.name).join(", ");
      throw wrong(`numbers without a name; expected a JSON object with ${names}`);
    }
    value = { [inputs[0]!.name]: value };
  }
  const row: Row = {};
  for (const [name, numbers] of Object.entries(value as object)) {
    const flat = [numbers].flat(Infinity) as unknown[];
    if (!flat.every((v) => typeof v === "number" && Number.isFinite(v)))
      throw wrong(`input ${name}: expected numbers`);
    row[name] = flat as number[];
  }
  return row;
}

/** Rows as one tensor: each has the numbers of its time step. */
function tensorOf(about: RowInput, rows: readonly Row[], steps: number): NumberTensor {
  const { name, shape } = about;
  const inner = innerSize(about);
  const data = new Float64Array(shape.reduce((n, d) => n * d, 1));
  rows.forEach((row, t) => {
    row[name]!.forEach((v, i) => {
      data[(Math.floor(i / inner) * steps + t) * inner + (i % inner)] = v;
    });
  });
  return { shape, data };
}

/** Whether what a caller gives as inputs are tensors at all: it comes from code that no compiler may have checked. */
import { SottoError } from "../errors.js";
import type { NumberTensor } from "./share.js";

const EXPECTED =
  "expected {shape, data}: a list of sizes, and the numbers row-major in one list or typed array";

/**
 * The inputs as tensors of numbers; bigints become numbers. Other names than the given ones are left as they are.
 * @param names of the model's inputs.
 * @throws SottoError bad-input naming the input, and what is wrong with its type or its count; never a value.
 */
export function tensorsOf(
  names: readonly string[],
  given: Record<string, unknown>,
): Record<string, NumberTensor> {
  if (typeof given !== "object" || given === null) {
    throw new SottoError("bad-input", `the inputs are ${kindOf(given)}; ${perInput(names)}`);
  }
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      names.includes(name) ? tensorOf(name, value) : (value as NumberTensor),
    ]),
  );
}

function perInput(names: readonly string[]): string {
  return `expected an object with {shape, data} for each input of the model: ${names.join(", ")}`;
}

function tensorOf(name: string, value: unknown): NumberTensor {
  const wrong = (why: string) => new SottoError("bad-input", `input ${name}: ${why}`);
  const { shape: sizes, data } = (value ?? {}) as { shape?: unknown; data?: unknown };
  if (!isList(sizes)) throw wrong(`${EXPECTED}; its shape is ${kindOf(sizes)}`);
  if (!isList(data)) throw wrong(`${EXPECTED}; its data is ${kindOf(data)}`);
  const shape = Array.from(sizes, (size) => {
    if (Number.isInteger(size) && (size as number) >= 0) return size as number;
    throw wrong("its shape has something else than whole numbers");
  });
  const count = shape.reduce((n, size) => n * size, 1);
  if (data.length !== count) {
    throw wrong(`its shape [${shape}] is of ${counted(count)}, and data has ${counted(data.length)}`);
  }
  return { shape, data: numbers(data, wrong) };
}

function numbers(data: ArrayLike<unknown>, wrong: (why: string) => SottoError): ArrayLike<number> {
  if (ArrayBuffer.isView(data) && typeof data[0] === "number") return data as ArrayLike<number>;
  let bigints = false;
  for (let i = 0; i < data.length; i++) {
    const kind = typeof data[i];
    if (kind === "bigint") bigints = true;
    else if (kind !== "number") {
      const flat = typeof data[i] === "object" ? "; give the numbers row-major in one list" : "";
      throw wrong(`element ${i} is ${kindOf(data[i])}, expected a number${flat}`);
    }
  }
  // beyond 2^53 the nearest number: no declared range reaches so far
  return bigints ? Array.from(data as ArrayLike<number | bigint>, Number) : (data as ArrayLike<number>);
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { length?: unknown }).length === "number"
  );
}

/** The type of something, in words; never the thing itself. */
function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  const kind = typeof value;
  return kind === "object" ? "an object" : `a ${kind}`;
}

function counted(n: number): string {
  return n === 1 ? "1 number" : `${n} numbers`;
}

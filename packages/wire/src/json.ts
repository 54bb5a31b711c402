/** JSON that somebody else has written: refused before it is parsed where nothing of ours is nested so deeply. */

/** Many times that of any plan. */
const MAX_DEPTH = 64;
const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [...'"\\[]{}'].map((c) =>
  c.charCodeAt(0),
);
const decoder = new TextDecoder("utf-8", { fatal: true });

/** @throws an error of any kind for what is not UTF-8 JSON, or too deep; it may quote its input. */
export function readJson(bytes: Uint8Array): unknown {
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i];
    if (c === QUOTE) {
      for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
    } else if (c === OPEN_LIST || c === OPEN_OBJECT) {
      if (++depth > MAX_DEPTH) throw new RangeError(`more than ${MAX_DEPTH} levels`);
    } else if (c === CLOSE_LIST || c === CLOSE_OBJECT) depth--;
  }
  return JSON.parse(decoder.decode(bytes));
}

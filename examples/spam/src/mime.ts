/**
 * Just enough of MIME to read the mails of the data set: unfolds headers, descends into
 * multiparts, undoes the transfer encodings, and turns HTML into text. It is lenient: spam is
 * often malformed, and a part that cannot be decoded is read as it stands.
 */

/** The readable part of a mail. */
export interface ParsedMail {
  subject: string;
  text: string;
}

interface Part {
  headers: Map<string, string>;
  body: string;
}

/** Splits a message or a part at its first empty line. */
function splitPart(source: string): Part {
  const end = source.search(/\r?\n\r?\n/);
  // Without an empty line there are no headers in a part, only text.
  const head = end < 0 ? "" : source.slice(0, end);
  const body = end < 0 ? source : source.slice(end).replace(/^\r?\n\r?\n/, "");
  const headers = new Map<string, string>();
  for (const line of head.replace(/\r?\n[ \t]+/g, " ").split(/\r?\n/)) {
    const match = /^([\w-]+):\s*(.*)$/.exec(line);
    const name = match?.[1]?.toLowerCase();
    if (name !== undefined && !headers.has(name)) headers.set(name, match?.[2] ?? "");
  }
  return { headers, body };
}

function decodeBytes(bytes: Uint8Array, charset: string): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    // A character set that does not exist: spam invents some.
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** Bytes of a string of which every character beyond one byte is lost anyway. */
function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => Math.min(c.codePointAt(0) ?? 0, 255));
}

function decodeQuotedPrintable(text: string, charset: string): string {
  const joined = text.replace(/=[ \t]*\r?\n/g, "");
  // Only the escapes hold bytes; the rest was decoded when the data set was made.
  return joined.replace(/(?:=[0-9A-Fa-f]{2})+/g, (escapes) =>
    decodeBytes(
      Uint8Array.from(escapes.slice(1).split("="), (hex) => Number.parseInt(hex, 16)),
      charset,
    ),
  );
}

function decodeBase64(text: string, charset: string): string {
  try {
    const binary = atob(text.replace(/[^A-Za-z0-9+/]/g, ""));
    return decodeBytes(latin1Bytes(binary), charset);
  } catch {
    return text;
  }
}

/** Undoes `=?charset?Q?...?=` and `=?charset?B?...?=` in a header. */
function decodeWords(header: string): string {
  return header
    .replace(/\?=\s+=\?/g, "?==?")
    .replace(/=\?([^?]+)\?([QqBb])\?([^?]*)\?=/g, (_, charset: string, kind: string, text: string) =>
      kind.toLowerCase() === "b"
        ? decodeBase64(text, charset)
        : decodeQuotedPrintable(text.replace(/_/g, " "), charset),
    );
}

const ENTITIES: Record<string, string> = { nbsp: " ", amp: "&", lt: "<", gt: ">", quot: '"', copy: "(c)" };

function entity(whole: string, name: string): string {
  if (!name.startsWith("#")) return ENTITIES[name.toLowerCase()] ?? whole;
  const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : " ";
}

/** Turns HTML into the text a reader sees, approximately. */
export function htmlToText(html: string): string {
  return (
    html
      // Comments vanish without a space: spam splits words with them ("mail<!--x-->ing").
      .replace(/<!--[\s\S]*?(?:-->|$)/g, "")
      .replace(/<(script|style|title)\b[\s\S]*?<\/\1\s*>/gi, " ")
      // Inline tags do not end a word, all others do.
      .replace(/<\/?(?:b|i|u|em|strong|font|span|a|big|small)\b[^>]*>/gi, "")
      .replace(/<[/!?]?[a-z][^>]*>/gi, " ")
      .replace(/&(#x?[0-9a-f]{1,6}|[a-z]{2,8});?/gi, entity)
  );
}

const looksLikeHtml = (text: string): boolean => /<(?:html|body|table|font|br|p)\b[^>]*>/i.test(text);

/** The text of a part and whether it was plain to begin with; undefined when there is none (an image). */
function partText({ headers, body }: Part, depth: number): { text: string; plain: boolean } | undefined {
  const type = headers.get("content-type") ?? "text/plain";
  const boundary = /boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))/i.exec(type);
  const mark = boundary?.[1] ?? boundary?.[2];
  if (/^multipart\//i.test(type) && mark !== undefined && depth < 4) {
    // What precedes the first boundary is a note to readers without MIME.
    const pieces = `\n${body}`.split(`\n--${mark}`).slice(1);
    const parts = pieces
      .filter((piece) => !piece.startsWith("--"))
      .map((piece) => partText(splitPart(piece.replace(/^[ \t]*\r?\n/, "")), depth + 1))
      .filter((part) => part !== undefined && part.text.trim() !== "");
    const found = parts.find((part) => part?.plain) ?? parts[0];
    if (found !== undefined) return found;
  } else if (!/^(?:text|message|multipart)\b/i.test(type) && depth > 0) {
    return undefined;
  }
  const charset = /charset\s*=\s*"?([\w-]+)/i.exec(type)?.[1] ?? "windows-1252";
  const encoding = headers.get("content-transfer-encoding")?.trim().toLowerCase();
  let text = body;
  if (encoding === "quoted-printable") text = decodeQuotedPrintable(body, charset);
  if (encoding === "base64") text = decodeBase64(body, charset);
  const html = /^text\/html/i.test(type) || looksLikeHtml(text);
  return { text: html ? htmlToText(text) : text, plain: !html };
}

/** Reads the subject and the text of a mail in its source form (headers, empty line, body). */
export function parseMail(source: string): ParsedMail {
  const message = splitPart(source);
  return {
    subject: decodeWords(message.headers.get("subject") ?? "").trim(),
    text: partText(message, 0)?.text ?? "",
  };
}

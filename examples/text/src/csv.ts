/** Rows of a CSV file (RFC 4180): quoted fields may hold commas, line ends and doubled quotes. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length; ) {
    const quoted = text[at] === '"';
    const field = quoted ? quotedField(text, at + 1) : plainField(text, at);
    row.push(field.value);
    const after = text[field.end];
    at = field.end + (after === "\r" && text[field.end + 1] === "\n" ? 2 : 1);
    if (after === ",") continue;
    rows.push(row);
    row = [];
  }
  if (row.length > 0) rows.push(row);
  return rows;
}

function plainField(text: string, from: number): { value: string; end: number } {
  let end = from;
  while (end < text.length && !",\r\n".includes(text[end]!)) end++;
  return { value: text.slice(from, end), end };
}

function quotedField(text: string, from: number): { value: string; end: number } {
  let end = from;
  while (end < text.length && (text[end] !== '"' || text[end + 1] === '"')) end += text[end] === '"' ? 2 : 1;
  return { value: text.slice(from, end).replaceAll('""', '"'), end: end + 1 };
}

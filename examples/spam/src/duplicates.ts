/**
 * Near-duplicates: spam comes in campaigns that differ by a name or a random string, and list
 * mails come through several lists. Copies across the parts of a split would let a model that
 * merely remembers look like one that has learnt.
 */

/** Words per shingle. */
const SHINGLE = 4;
/** The model reads the start of a mail only, so mails that start alike are copies to it. */
const WINDOW = 100;
/** Mails are copies when this share of their shingles is common. */
const THRESHOLD = 0.4;

/** Text without what varies between copies: case, digits, addresses, punctuation. */
export function normalise(text: string): string {
  return text
    .toLowerCase()
    .replace(/\S+@\S+|\bhttps?:\S+|\bwww\.\S+/g, " ")
    .replace(/[^\p{L}\ufffd]+/gu, " ")
    .trim();
}

/** The shingles of a normalised text's start; the whole text when it is shorter than one. */
export function shingles(normalised: string): Set<string> {
  const list = normalised.split(" ").slice(0, WINDOW);
  const result = new Set<string>();
  for (let i = 0; i + SHINGLE <= list.length; i++) result.add(list.slice(i, i + SHINGLE).join(" "));
  if (result.size === 0) result.add(normalised);
  return result;
}

/**
 * Finds near-duplicates. Returns, for each text, whether an earlier text that was kept starts
 * alike; dropping these leaves no two texts that do. The order decides which copy stays.
 */
export function findDuplicates(texts: string[]): boolean[] {
  const holders = new Map<string, number[]>(); // shingle -> kept texts with it
  const sizes: number[] = [];
  return texts.map((text, i) => {
    const set = shingles(normalise(text));
    sizes[i] = set.size;
    const common = new Map<number, number>();
    for (const shingle of set) {
      for (const j of holders.get(shingle) ?? []) common.set(j, (common.get(j) ?? 0) + 1);
    }
    for (const [j, count] of common) {
      if (count >= THRESHOLD * Math.max(set.size, sizes[j] ?? 0)) return true;
    }
    for (const shingle of set) {
      const list = holders.get(shingle);
      if (list === undefined) holders.set(shingle, [i]);
      else list.push(i);
    }
    return false;
  });
}

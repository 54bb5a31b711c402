/**
 * Removes what would give the answer away without being about the mail's content. The ham of
 * the data set comes largely from a few mailing lists and feeds, which leave marks in subject
 * and text; a model that reads these marks has learnt where a mail was collected, not whether
 * it is spam.
 */

/** Removes the tags that list software puts first in a subject: "Re: [ILUG] x" becomes "Re: x". */
export function cleanSubject(subject: string): string {
  let cleaned = subject;
  for (let previous = ""; previous !== cleaned; ) {
    previous = cleaned;
    cleaned = cleaned.replace(/^((?:\s*(?:re|fwd?|aw)\s*:)*)\s*\[[^\]]{1,40}\]\s*/i, "$1 ");
  }
  return removePlaceholders(cleaned).replace(/\s+/g, " ").trim();
}

/** Removes list footers, feed headers and the collector's placeholders from a mail's text. */
export function cleanText(text: string): string {
  const cleaned = text
    .replace(/\r\n?/g, "\n")
    // Articles that a gateway mailed from web feeds start with two lines of its own.
    .replace(/^\s*URL: \S+\s*\nDate: .*\n/, "")
    .replace(/^-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash: .*\n)?/m, "")
    .replace(/-{10,} Yahoo! Groups Sponsor [\s\S]*?-{20,}~?->?/g, " ")
    // Mailman's footer: a rule, the list's name, its addresses.
    .replace(/\n_{20,}\n.*\bmailing list\b[\s\S]*$/i, "\n")
    .replace(/\n-- \n.*(?:Users' Group|ILUG|List maintainer)[\s\S]*$/i, "\n");
  return removePlaceholders(cleaned).trim();
}

/** The corpus replaced its collectors' names by these words. */
function removePlaceholders(text: string): string {
  return text.replace(/\b(?:yyyy|zzzz)\w*\b(?!@)/gi, " ");
}

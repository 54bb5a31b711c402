/** Text messages and sentences, by the models of examples/text. */
import { sms as smsSet, sst2 as sst2Set, type TextSet } from "@sotto/example-text/sets";
import { folderOf } from "../folder.js";
import type { ExperimentSet } from "../set.js";

export const sms = textSet("Spam in text messages (SMS Spam Collection)", smsSet, "text_sms_spam", [
  "data.csv",
]);
export const sst2 = textSet("Sentiment of sentences (SST-2)", sst2Set, "text_sst2", ["train.tsv", "dev.tsv"]);

function textSet(title: string, set: TextSet, name: string, files: string[]): ExperimentSet {
  return {
    name: set.name,
    title,
    where: `${set.origin}: ${files.join(" and ")} in DATA_FOLDER/${name}`,
    async load(data) {
      const folder = folderOf(data, name, files);
      if (folder === undefined) return undefined;
      return { model: set.model, classes: set.classes, samples: await set.samples(folder) };
    },
  };
}

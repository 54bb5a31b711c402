/**
 * Evaluates model/spam.onnx on the held-out test part, once all choices are made, and writes the
 * figures into model/README.md:
 *
 *   node train/report.mjs      (after `tsc -b`)
 */
import { readFile, stat, writeFile } from "node:fs/promises";
import { classify } from "../dist/classify.js";
import { loadMails, loadVocabulary, modelPath, vocabularyPath } from "../dist/index.js";
import { figures } from "../dist/metrics.js";

const readme = new URL("../model/README.md", import.meta.url);
const percent = (share) => `${(100 * share).toFixed(2)} %`;

const vocabulary = await loadVocabulary();
const mails = await loadMails();
const logits = await classify(mails.test, vocabulary);
const result = figures(
  logits.map(([ham, spam]) => spam - ham),
  mails.test.map((mail) => mail.spam),
);
const rows = ["| part | mails | spam |", "| --- | ---: | ---: |"];
for (const [part, list] of Object.entries(mails)) {
  rows.push(`| ${part} | ${list.length} | ${list.filter((mail) => mail.spam).length} |`);
}
rows.push(
  "",
  "| on the test part | |",
  "| --- | ---: |",
  `| accuracy | ${percent(result.accuracy)} |`,
  `| accuracy of the constant guess (ham) | ${percent(result.constant)} |`,
  `| precision (spam) | ${percent(result.precision)} |`,
  `| recall (spam) | ${percent(result.recall)} |`,
  `| area under the ROC curve | ${result.auc.toFixed(4)} |`,
);
const text = await readFile(readme, "utf8");
const marks = /(<!-- figures: written by train\/report\.mjs -->\n)[\s\S]*?(<!-- end -->)/;
if (!marks.test(text)) throw new Error("model/README.md has no place for the figures");
await writeFile(
  readme,
  text.replace(marks, (_, before, after) => `${before}${rows.join("\n")}\n${after}`),
);
const sizes = await Promise.all([modelPath(), vocabularyPath()].map(async (path) => (await stat(path)).size));
console.log(rows.join("\n"));
console.log(`${sizes[0]} + ${sizes[1]} bytes`);

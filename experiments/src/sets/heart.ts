/** Heartbeats, by the models of examples/heart. */
import { ecg5000Samples, mitbihSamples, type Samples } from "@sotto/example-heart/sets";
import { folderOf } from "../folder.js";
import type { ExperimentSet, LoadedSet } from "../set.js";

const MITBIH = ["beats.npy", "labels.npy", "rr_ms.npy", "records.npy"];

/** A sample is a stretch of beats in a row, with a label for each. */
export const mitbih: ExperimentSet = {
  name: "mitbih",
  title: "Heartbeats, beat by beat (MIT-BIH)",
  where:
    "MIT-BIH Arrhythmia Database (https://physionet.org/content/mitdb/), prepared as examples/heart/model/README.md says: " +
    `${MITBIH.join(", ")} in DATA_FOLDER/heart_mitbih_ds1`,
  async load(data) {
    const folder = folderOf(data, "heart_mitbih_ds1", MITBIH);
    return folder === undefined ? undefined : loaded(await mitbihSamples(folder));
  },
};

export const ecg5000: ExperimentSet = {
  name: "ecg5000",
  title: "Single heartbeats (ECG5000)",
  where:
    "UCR archive (https://www.timeseriesclassification.com/description.php?Dataset=ECG5000): ECG5000_TRAIN.txt in " +
    "DATA_FOLDER/heart_ecg5000",
  async load(data) {
    const folder = folderOf(data, "heart_ecg5000", ["ECG5000_TRAIN.txt"]);
    return folder === undefined ? undefined : loaded(await ecg5000Samples(folder));
  },
};

function loaded({ modelPath, classes, range, samples }: Samples): LoadedSet {
  return {
    model: modelPath,
    classes,
    inputRange: range,
    samples: samples.map(({ inputs, labels }) => ({ inputs, label: labels })),
  };
}

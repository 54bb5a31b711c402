/** Network packets, by the models of examples/packets. */
import { doh, local, samplesFolder } from "@sotto/example-packets/sets";
import { folderOf } from "../folder.js";
import type { ExperimentSet } from "../set.js";

const DOH = { folder: "packets_cicdoh20", file: "test.json" };

export const packets: ExperimentSet = {
  name: "packets",
  title: "Tunnels in DNS over HTTPS (CICDOH20)",
  where: `${doh.origin}: ${DOH.file} in DATA_FOLDER/${DOH.folder}`,
  async load(data) {
    const folder = folderOf(data, DOH.folder, [DOH.file]);
    if (folder === undefined) return undefined;
    const { model, classes, range } = doh;
    return { model, classes, samples: await doh.samples(folder), inputRange: range };
  },
};

/** Captures of one's own in DATA_FOLDER/loopback; without them those few that the repository carries. */
export const loopback: ExperimentSet = {
  name: "loopback",
  title: "Scans and floods on a loopback interface (recorded)",
  where: `${local.origin}: captures in DATA_FOLDER/loopback`,
  async load(data) {
    const folder = folderOf(data, "loopback", [""]) ?? samplesFolder;
    const { model, classes, range } = local;
    return { model, classes, samples: await local.samples(folder), inputRange: range };
  },
};

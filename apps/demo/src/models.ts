/** The models that the page uses: what the owner deploys. */
import { type Compiled, compile } from "@sotto/core";
import { RANGE as heartRange } from "@sotto/example-heart";
import { beatModelPath } from "@sotto/example-heart/sets";
import { local } from "@sotto/example-packets/sets";
import * as spam from "@sotto/example-spam";
import { loadModel } from "@sotto/model";

/** By the names under which they are deployed. */
export const models: Readonly<Record<string, () => Promise<Compiled>>> = {
  heart: async () => compile(await loadModel(beatModelPath()), { range: heartRange }),
  packets: async () => compile(await loadModel(local.model), { range: local.range }),
  spam: async () => compile(await loadModel(spam.modelPath())),
};

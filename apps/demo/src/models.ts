/** The models that the page uses: what the owner deploys. */
import { type Compiled, compile } from "@sotto/core";
import * as spam from "@sotto/example-spam";
import { loadModel } from "@sotto/model";

/** By the names under which they are deployed. */
export const models: Readonly<Record<string, () => Promise<Compiled>>> = {
  spam: async () => compile(await loadModel(spam.modelPath())),
};

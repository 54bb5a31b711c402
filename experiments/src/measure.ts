/** One set: the three runs, and what they say beside each other. */
import { machine } from "@sotto/bench/report";
import { compile, planHash } from "@sotto/core";
import { loadModel } from "@sotto/model";
import { truthOf } from "./answers.js";
import {
  type Confusion,
  confusionOf,
  type Difference,
  differenceOf,
  type Figures,
  figuresOf,
} from "./metrics.js";
import { type OnDone, runFixed, runFloat } from "./plain-runs.js";
import { chosen, PRIVATE_SAMPLES, type PrivateTimes, runPrivate } from "./private-run.js";
import type { ExperimentSet, LoadedSet } from "./set.js";

export interface Run extends Figures {
  samples: number;
  /** Labelled rows of these samples: what is decided. */
  decisions: number;
  confusion: Confusion;
}

export interface SetResult {
  name: string;
  title: string;
  machine: string;
  /** Of the plan that ran: the same file and options give the same. */
  plan: string;
  classes: readonly string[];
  /** Float and fixed point over all samples of the test part, private over those that ran. */
  float: Run;
  fixed: Run;
  private: Run;
  /** Float over the samples that ran privately: what the private run is compared with. */
  floatOfPrivate: Run;
  differences: {
    /** Over all samples. */
    fixedToFloat: Difference;
    /** Over those that ran privately. */
    privateToFloat: Difference;
    privateToFixed: Difference;
  };
  times: PrivateTimes;
}

/** @param progress is told what is done, in words. */
export async function measure(
  about: ExperimentSet,
  set: LoadedSet,
  wanted: number | undefined,
  progress: (text: string) => void,
): Promise<SetResult> {
  const where = machine();
  const description = await loadModel(set.model);
  const compiled = compile(description, set.inputRange === undefined ? {} : { range: set.inputRange });
  const output = compiled.plan.outputs[0]!.name;
  const all = set.samples.length;
  const step =
    (what: string, of: number): OnDone =>
    (done) =>
      progress(`${about.name}: ${what} ${done} of ${of}`);

  const float = await runFloat(set, output, step("float", all));
  const fixed = runFixed(set, compiled, output, step("fixed point", all));
  const indices = chosen(about.name, all, wanted ?? set.privateSamples ?? PRIVATE_SAMPLES);
  const ran = await runPrivate(set, compiled, output, indices, step("private", indices.length));

  const everything = [...set.samples.keys()];
  const run = (answers: ReturnType<typeof float.answers>, of: readonly number[]): Run => {
    const truth = truthOf(of.map((i) => set.samples[i]!));
    const confusion = confusionOf(truth, answers.decisions, set.classes.length);
    return { samples: of.length, decisions: truth.length, ...figuresOf(confusion), confusion };
  };
  const [inFloat, inFixed, privately] = [float, fixed, ran.collector].map((c) => c.answers(indices));
  return {
    name: about.name,
    title: about.title,
    machine: where,
    plan: planHash(compiled.plan),
    classes: set.classes,
    float: run(float.answers(), everything),
    fixed: run(fixed.answers(), everything),
    private: run(privately!, indices),
    floatOfPrivate: run(inFloat!, indices),
    differences: {
      fixedToFloat: differenceOf(fixed.answers(), float.answers()),
      privateToFloat: differenceOf(privately!, inFloat!),
      privateToFixed: differenceOf(privately!, inFixed!),
    },
    times: ran.times,
  };
}

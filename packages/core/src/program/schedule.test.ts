import { describe, expect, it } from "vitest";
import { compile } from "../plan/compile.js";
import { instantiate } from "../plan/instantiate.js";
import type { Profile } from "../plan/plan.js";
import { sizesOf } from "../plan/sizes.js";
import { anyModel } from "../testing/layers.js";
import { randomGru } from "../testing/models.js";
import { operands } from "./nodes.js";
import type { Program } from "./program.js";
import { stageNodes } from "./schedule.js";

function gru(profile: Profile, steps = 4): Program {
  const model = randomGru({ seed: 1, hidden: 4, inputSize: 3, steps, resetAfter: true });
  return instantiate(compile(model, { range: 4, profile }).plan, {}).program;
}

/** When each node is run, as a number of the whole order; an opening's value is there after its stage. */
function check(program: Program): void {
  const ran = new Map<number, number>();
  const opened = new Map<number, number>();
  program.stages.forEach((stage, index) => {
    for (const node of stageNodes(stage)) {
      for (const id of operands(node)) {
        if (program.nodes[id]!.op !== "open") expect(ran.has(id)).toBe(true);
        else {
          expect(opened.get(id)).toBeLessThanOrEqual(index);
          if (stage.ahead.includes(node as never)) expect(opened.get(id)).toBeLessThan(index);
        }
      }
      ran.set(node.id, index);
      if (node.op === "open") opened.set(node.id, index + 1);
    }
  });
  expect(ran.size).toBe(program.nodes.filter((n) => n !== undefined).length);
}

describe("the schedule", () => {
  it("runs every node once, after what it reads, and ahead only what was opened before", () => {
    for (const profile of ["lan", "wan"] as const) check(gru(profile));
    for (let seed = 0; seed < 12; seed++) {
      const { model, options, inputs } = anyModel(`schedule ${seed}`, "any");
      const { plan } = compile(model, options);
      check(instantiate(plan, sizesOf(plan, inputs)).program);
    }
  });

  it("has no more rounds than the longest chain of openings", () => {
    const { nodes, stages } = gru("lan");
    expect(stages).toHaveLength(1 + Math.max(...nodes.map((n) => n?.level ?? 0)));
    for (const { openings } of stages.slice(0, -1)) expect(openings.length).toBeGreaterThan(0);
  });

  it("leaves one of three recurrent products in the way of a message, and the others to the waiting before", () => {
    const steps = 6;
    const { stages } = gru("lan", steps);
    const products = (of: "ahead" | "local") =>
      stages.flatMap((s) => s[of].filter((n) => n.op === "linear")).length;
    // and of the input's three, that of the reset gate
    expect(products("local")).toBe(steps + 1);
    expect(products("ahead")).toBe(2 * steps + 2);
  });
});

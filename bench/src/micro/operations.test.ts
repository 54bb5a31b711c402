import { programOf } from "@sotto/core/testing";
import { expect, it } from "vitest";
import { everyOperation, measureOperations } from "./operations.js";

it("every operation is in the program that is measured", () => {
  const tensors = [
    { name: "W", kind: "matrix", rows: 128, cols: 128, scale: 14, bound: 2 ** 21 },
    { name: "b", kind: "vector", rows: 1, cols: 128, scale: 14, bound: 2 ** 14 },
  ] as const;
  const { program } = programOf([...tensors], everyOperation);
  const kinds = [...new Set(program.nodes.flatMap((n) => n?.op ?? []))].sort();
  const all = "add concat finish gather input interpolate lift linear multiply open output parameter product";
  expect(kinds).toEqual([...all.split(" "), ..."select slice times total truncate zero".split(" ")].sort());
});

it("each has a time in every phase that it takes part in", async () => {
  const results = await measureOperations(1);
  const linear = results.find((r) => r.op === "linear")!;
  for (const phase of ["deal", "prepare", "evaluate"] as const)
    expect(linear.ns[phase].median).toBeGreaterThan(0);
});

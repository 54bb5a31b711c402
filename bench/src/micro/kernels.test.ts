import { Ring } from "@sotto/core";
import { expect, it } from "vitest";
import { kernelCases } from "./kernels.js";

it("every kernel has a microbenchmark that runs", async () => {
  const ring = await Ring.create();
  const cases = kernelCases(ring);
  const exported = Object.entries(ring.kernels).flatMap(([name, f]) =>
    typeof f === "function" && !["heapBase", "lowMask"].includes(name) ? name : [],
  );
  expect(cases.map((c) => c.name).sort()).toEqual(exported.sort());
  for (const { run } of cases) run();
});

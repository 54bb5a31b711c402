import { expect, it } from "vitest";
import { costTables, recorded } from "./costs.js";

it("the benchmark's records give a row for each size and round trip, with what it measured", () => {
  const record = recorded();
  const text = costTables(record, "../bench/results");
  for (const { by, points } of record.sweep.results) {
    const letter = { hidden: "H", steps: "T", batch: "batch" }[by];
    for (const p of points) expect(text).toContain(`| ${letter} = ${p.value} | ${p.rounds} |`);
  }
  for (const ms of [0.1, 1, 20, 80]) {
    expect(text).toContain(`| ${ms} | lan | 251 |`);
    expect(text).toContain(`| ${ms} | wan | 151 |`);
  }
  expect(text).toContain(`${record.latest.load!.clients} clients at once`);
});

import { SottoError } from "@sotto/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writeHdf5 } from "../../testing/write-hdf5.js";
import { type Hdf5Object, isHdf5, openHdf5 } from "./reader.js";

const many = Object.fromEntries(
  Array.from({ length: 60 }, (_, i) => [`layer_${i}/kernel:0`, { shape: [2], data: [i, -i] }]),
);
const file = await writeHdf5({
  attributes: {
    "": { model_config: "x".repeat(30_000), keras_version: "2.15.0", empty: [] },
    group: { layer_names: ["a", "bé", "cdef"] },
  },
  datasets: {
    "group/a/kernel:0": { shape: [2, 3], data: [1, 2, 3, 4, 5, 6.5] },
    "group/scalar": { shape: [], data: [7] },
    "group/double": { shape: [2], data: [0.1, 1e-3], type: "<d" },
    ...many,
  },
});

describe("the HDF5 reader", () => {
  it("reads attributes, groups and arrays as the HDF5 library wrote them", () => {
    expect(isHdf5(file)).toBe(true);
    const root = openHdf5(file);
    expect(root.texts("model_config")?.[0]).toHaveLength(30_000);
    expect(root.texts("keras_version")).toEqual(["2.15.0"]);
    expect(root.texts("missing")).toBeUndefined();
    expect(root.get("group")?.texts("layer_names")).toEqual(["a", "bé", "cdef"]);
    expect(root.get("group/a/kernel:0")?.numbers()).toEqual({
      shape: [2, 3],
      data: Float32Array.of(1, 2, 3, 4, 5, 6.5),
    });
    expect(root.get("group/scalar")?.numbers()).toEqual({ shape: [], data: Float32Array.of(7) });
    expect(root.get("group/double")?.numbers().data).toEqual(Float32Array.of(0.1, 1e-3));
    expect(root.get("nothing/here")).toBeUndefined();
    expect(root.keys()).toHaveLength(61);
    for (let i = 0; i < 60; i++)
      expect(root.get(`layer_${i}/kernel:0`)?.numbers().data).toEqual(Float32Array.of(i, -i));
  });

  it("reads files by newer settings of the library too", async () => {
    const newer = await writeHdf5(
      {
        attributes: { "": { model_config: "{}" } },
        datasets: { "a/b/0": { shape: [2], data: [1, 2] }, "a/b/1": { shape: [1], data: [3] } },
      },
      "v110",
    );
    const root = openHdf5(newer);
    expect(root.texts("model_config")).toEqual(["{}"]);
    expect(root.get("a/b/1")?.numbers().data).toEqual(Float32Array.of(3));
  });

  const walk = (object: Hdf5Object, depth: number): void => {
    object.texts("model_config");
    object.texts("layer_names");
    if (object.isDataset) object.numbers();
    else if (depth < 5) for (const key of object.keys()) walk(object.get(key)!, depth + 1);
  };

  it("reads or refuses damaged files", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(changes, fc.option(fc.nat()), (list, cut) => {
        const damaged = file.slice(0, cut === null ? file.length : cut % file.length);
        for (const [at, value] of list) damaged[at % file.length] = value;
        try {
          walk(openHdf5(damaged), 0);
        } catch (error) {
          if (!(error instanceof SottoError)) throw error;
        }
      }),
      { numRuns: process.env.SOTTO_LONG ? 20_000 : 200 },
    );
  });
});

/** What an HDF5 file should hold; paths with "/" make groups. */
export interface Hdf5Spec {
  /** By path ("" is the file itself), then by name. */
  attributes?: Record<string, Record<string, string | string[]>>;
  datasets?: Record<string, { shape: number[]; data: ArrayLike<number>; type?: "<f" | "<d" }>;
  /** Groups without anything in them. */
  groups?: string[];
}

let files = 0;

/**
 * The bytes of an HDF5 file, written by the HDF5 library (h5wasm), which is a development dependency.
 * @param oldest the oldest library that should be able to read it; h5py asks for "earliest".
 */
export async function writeHdf5(
  spec: Hdf5Spec,
  oldest: "earliest" | "v110" = "earliest",
): Promise<Uint8Array> {
  const { File, ready } = await import("h5wasm");
  const { FS } = await ready;
  const path = `/sotto-${files++}.h5`;
  const file = new File(path, "w", { libver: [oldest, "latest"] });
  const made = new Set<string>();
  const group = (name: string): void => {
    const parts = name.split("/").filter((part) => part !== "");
    for (let i = 1; i <= parts.length; i++) {
      const part = parts.slice(0, i).join("/");
      if (!made.has(part)) file.create_group(part);
      made.add(part);
    }
  };
  for (const name of spec.groups ?? []) group(name);
  for (const [name, { shape, data, type }] of Object.entries(spec.datasets ?? {})) {
    group(name.split("/").slice(0, -1).join("/"));
    const array = type === "<d" ? Float64Array.from(data) : Float32Array.from(data);
    file.create_dataset({ name, data: shape.length === 0 ? array[0]! : array, shape, dtype: type ?? "<f" });
  }
  for (const [name, attributes] of Object.entries(spec.attributes ?? {})) {
    group(name);
    const target = name === "" ? file : file.get(name);
    for (const [key, value] of Object.entries(attributes)) {
      // As h5py does: text has any length, lists of text a fixed one, and empty lists are empty arrays of reals.
      const [data, shape, dtype] =
        typeof value === "string"
          ? [value, [], "S"]
          : value.length > 0
            ? [value]
            : [new Float64Array(0), [0], "<d"];
      // biome-ignore lint/suspicious/noExplicitAny: the library's types don't tell groups from datasets
      (target as any).create_attribute(key, data, shape, dtype);
    }
  }
  file.close();
  const bytes = FS.readFile(path) as Uint8Array;
  FS.unlink(path);
  return new Uint8Array(bytes);
}

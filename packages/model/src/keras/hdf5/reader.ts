/**
 * Reads what Keras (h5py) writes to HDF5 files: groups, attributes, and contiguous arrays of numbers.
 *
 * It is written here because the HDF5 library (also as WebAssembly, h5wasm) may run in circles for ever on a
 * damaged file; here every structure that is followed is checked and counted. Source: "HDF5 File Format
 * Specification Version 3.0"; tests compare with files that the HDF5 library itself has written.
 */
import { badModel, quote, unsupported } from "../errors.js";
import { Bytes } from "./bytes.js";
import { childAddresses } from "./groups.js";
import * as messages from "./messages.js";
import { countOf, readNumbers, readTexts } from "./values.js";

export interface NumberArray {
  shape: number[];
  data: Float32Array;
}

const SIGNATURE = "\x89HDF\r\n\x1a\n";

export function isHdf5(bytes: Uint8Array): boolean {
  return [...SIGNATURE].every((char, i) => bytes[i] === char.charCodeAt(0));
}

/** @throws SottoError `bad-model` if it is no HDF5 file, or a damaged one; `unsupported` for what h5py doesn't write. */
export function openHdf5(data: Uint8Array): Hdf5Object {
  if (!isHdf5(data)) badModel("this is not an HDF5 file");
  const bytes = new Bytes(data);
  const version = bytes.uint(8, 1);
  if (version > 3) unsupported(`HDF5: superblock of version ${version}; supported are 0 to 3`);
  const [sizes, base, root] = version < 2 ? [13, 24 + 4 * version, 64 + 4 * version] : [9, 12, 36];
  if (bytes.uint(sizes, 1) !== 8 || bytes.uint(sizes + 1, 1) !== 8)
    unsupported("HDF5: addresses of other than 8 bytes");
  if (bytes.uint(base, 8) !== 0) unsupported("HDF5: a file inside of another");
  return new Hdf5Object(bytes, bytes.uint(root, 8), "/", new Map());
}

/** A group or a dataset. */
export class Hdf5Object {
  private readonly messages: messages.Message[];
  private links?: Map<string, number>;

  constructor(
    private readonly bytes: Bytes,
    address: number,
    readonly path: string,
    /** By address, so that each is read once. */
    private readonly objects: Map<number, Hdf5Object>,
  ) {
    bytes.spend(64);
    this.messages = messages.readMessages(bytes, address);
  }

  get isDataset(): boolean {
    return this.message(messages.LAYOUT) !== undefined;
  }

  /** The names of a group's members, as HDF5 sorts them. */
  keys(): string[] {
    return [...this.children().keys()];
  }

  /** A member, also of members ("a/b/kernel:0"); undefined if there is none. */
  get(path: string): Hdf5Object | undefined {
    let found: Hdf5Object = this;
    for (const name of path.split("/").filter((part) => part !== "")) {
      const address = found.children().get(name);
      if (address === undefined) return undefined;
      const inner = `${found.path === "/" ? "" : found.path}/${name}`;
      const member: Hdf5Object =
        this.objects.get(address) ?? new Hdf5Object(this.bytes, address, inner, this.objects);
      this.objects.set(address, member);
      found = member;
    }
    return found;
  }

  /** An attribute's texts, one or a list of them; undefined if there is no such attribute. */
  texts(name: string): string[] | undefined {
    for (const { type, at, size } of this.messages) {
      if (type !== messages.ATTRIBUTE) continue;
      const attribute = this.attribute(at, size);
      if (attribute.name !== name) continue;
      const shape = messages.readDataspace(this.bytes, attribute.space);
      const datatype = messages.readDatatype(this.bytes, attribute.type);
      // h5py writes an empty list as an empty array of reals.
      const count = shape ? countOf(this.bytes, shape, datatype) : 0;
      return count === 0 ? [] : readTexts(this.bytes, attribute.data, count, datatype);
    }
    const info = this.message(messages.ATTRIBUTE_INFO);
    if (info && Number.isFinite(this.bytes.uint(info.at + (this.bytes.uint(info.at + 1, 1) & 1 ? 4 : 2), 8)))
      unsupported(`HDF5: ${quote(this.path)} keeps its attributes in the newer dense form; ${RESAVE}`);
    return undefined;
  }

  /** A dataset's numbers in row-major order, as single precision. */
  numbers(): NumberArray {
    const { bytes } = this;
    const shape = messages.readDataspace(bytes, this.part(messages.DATASPACE)) ?? [0];
    const type = messages.readDatatype(bytes, this.part(messages.DATATYPE));
    const layout = this.part(messages.LAYOUT);
    const count = countOf(bytes, shape, type);
    const version = bytes.uint(layout, 1);
    if (version !== 3 && version !== 4)
      unsupported(`HDF5: ${quote(this.path)} has layout version ${version}`);
    const kind = bytes.uint(layout + 1, 1);
    if (kind > 1 || this.message(messages.FILTERS))
      unsupported(
        `HDF5: ${quote(this.path)} is stored in chunks or compressed, which Keras does not do; ${RESAVE}`,
      );
    const [at, size] =
      kind === 0
        ? [layout + 4, bytes.uint(layout + 2, 2)]
        : [bytes.uint(layout + 2, 8), bytes.uint(layout + 10, 8)];
    if (count === 0) return { shape, data: new Float32Array(0) };
    if (!Number.isFinite(at) || size < count * type.size)
      badModel(`HDF5: ${quote(this.path)} of shape [${shape}] has only ${size} bytes`);
    return { shape, data: readNumbers(bytes, at, count, type) };
  }

  private children(): Map<string, number> {
    this.links ??= childAddresses(this.bytes, this.messages, this.path);
    return this.links;
  }

  private message(type: number): messages.Message | undefined {
    return this.messages.find((m) => m.type === type);
  }

  private part(type: number): number {
    const message = this.message(type);
    if (!message) badModel(`HDF5: ${quote(this.path)} should be an array of numbers`);
    return message.at;
  }

  /** The positions of an attribute's parts (IV.A.2.m). */
  private attribute(at: number, size: number) {
    const { bytes } = this;
    const version = bytes.uint(at, 1);
    if (version < 1 || version > 3) badModel(`HDF5: attribute of version ${version}`);
    const sizes = [bytes.uint(at + 2, 2), bytes.uint(at + 4, 2), bytes.uint(at + 6, 2)];
    const [name, type, space] = (version === 1 ? sizes.map((s) => 8 * Math.ceil(s / 8)) : sizes) as [
      number,
      number,
      number,
    ];
    const from = at + (version === 3 ? 9 : 8);
    return {
      name: bytes.name(from, at + size),
      type: from + name,
      space: from + name + type,
      data: from + name + type + space,
    };
  }
}

const RESAVE = "load the model in Keras and save it again";

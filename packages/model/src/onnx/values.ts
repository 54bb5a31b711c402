import type { DenseLayer, ViewLayer } from "@sotto/core";
import type { ElementType, Numbers } from "./tensor.js";

/** A size: a number, the name of one that is fixed at run time, or undefined where the importer does not know. */
export type Size = number | string | undefined;

/** Known now: an initialiser, or what folds to one. */
export interface ConstantValue {
  kind: "constant";
  name: string;
  type: ElementType;
  shape: number[];
  data: Numbers;
}

/** Public and known once the sizes named in the model's inputs are: shapes and what is made from them. */
export interface PublicValue {
  kind: "public";
  name: string;
  type: ElementType;
  shape?: Size[];
  /** What is known of the elements, in row-major order. */
  elements?: Size[];
  /** All elements are known to be this, whatever the shape. */
  fill?: Size;
  /** All numbers from 0 up to this one's size. */
  counts?: boolean;
  /** The constant that it is an expansion of, along axes of size 1. */
  expanded?: ConstantValue;
}

/** Depends on an input's data. */
export interface PrivateValue {
  kind: "private";
  name: string;
  shape?: Size[];
  /** The dense layer that computes it, into which a following bias is fused. */
  dense?: DenseLayer;
  /** The result of a softmax or an argmax, of which nothing more is computed; its elements may be moved. */
  final?: boolean;
  /** An argmax's whole numbers, whose type may change. */
  whole?: boolean;
  /** Zeros before and after along the last axis, still to be added: by the convolution that follows. */
  padding?: [number, number];
}

/** A model input of indices into an embedding. */
export interface TokenValue {
  kind: "token";
  name: string;
  shape?: Size[];
  /** How the indices are moved before they are looked up; the rows are moved so afterwards instead. */
  views?: { layer: ViewLayer; rank: number }[];
}

/** A model input of sequences' lengths. */
export interface LengthValue {
  kind: "length";
  name: string;
  shape?: Size[];
  /** In descending or ascending order (ops/order.ts). */
  sorted?: boolean;
}

/** The positions that sort a model input of lengths, or bring what is sorted back. */
export interface OrderValue {
  kind: "order";
  name: string;
  shape?: Size[];
  /** The model input. */
  of: LengthValue;
  inverse: boolean;
}

/** What the importer knows of a value; `name` is its name in the description (aliases share it). */
export type Value = ConstantValue | PublicValue | PrivateValue | TokenValue | LengthValue | OrderValue;

/** The size that all elements are, if they are all the same and there are any. */
export function fillOf(value: ConstantValue | PublicValue): Size {
  if (value.kind === "public" && value.fill !== undefined) return value.fill;
  const elements = value.kind === "public" ? value.elements : value.data;
  const first = elements?.[0];
  return first !== undefined && elements!.every((v) => v === first) ? first : undefined;
}

/** What is known of the elements, if there are few. */
export function elementsOf(value: Value): Size[] | undefined {
  if (value.kind === "public") return value.elements;
  if (value.kind === "constant" && value.data.length <= MAX_KNOWN) return Array.from(value.data);
  return undefined;
}

/** Shapes and indices are short; longer public values are passed on without looking into them. */
export const MAX_KNOWN = 1024;

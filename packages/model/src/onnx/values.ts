import type { DenseLayer } from "@sotto/core";
import type { ElementType, Numbers } from "./tensor.js";

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
  /** All elements are known to be this number, whatever the shape. */
  fill?: number;
}

/** Depends on an input's data. */
export interface PrivateValue {
  kind: "private";
  name: string;
  /** The dense layer that computes it, into which a following bias is fused. */
  dense?: DenseLayer;
  /** A softmax's result, of which nothing more is computed. */
  final?: boolean;
}

/** A model input of indices into an embedding. */
export interface TokenValue {
  kind: "token";
  name: string;
}

/** What the importer knows of a value; `name` is its name in the description (aliases share it). */
export type Value = ConstantValue | PublicValue | PrivateValue | TokenValue;

/** The number that all elements are, if they are all the same and there are any. */
export function fillOf(value: ConstantValue | PublicValue): number | undefined {
  if (value.kind === "public") return value.fill;
  const first = value.data[0];
  return first !== undefined && value.data.every((v) => v === first) ? first : undefined;
}

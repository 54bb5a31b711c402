/** Sizes of a tensor, the batch first; null where they are known only at run time. */
export type Shape = (number | null)[];

/**
 * Which time steps Keras takes for padding: those at which every number of a model input is `value`. Keras allows
 * padding anywhere; the client finds the first and the last step that is none.
 */
export interface Mask {
  input: string;
  value: number;
  /** The values at padding are not Keras's (Masking sets them to 0), so they must not be looked at. */
  dirty: boolean;
  /** Why the mask can't be used: it is a combination of others. */
  mixed?: string;
}

/** A tensor of the model. */
export interface Value {
  /** In the description. */
  name: string;
  shape: Shape;
  /** `mask`: what Keras 3 computes masks with (input != 0); it has no value in the description. */
  kind: "real" | "token" | "mask";
  mask?: Mask;
  /** Whether it is a model input as it is. */
  input?: boolean;
  /** The result of a softmax, which only the client knows. */
  final?: boolean;
  /** Zeros around the time axis that a convolution has still to add. */
  pads?: [number, number];
}

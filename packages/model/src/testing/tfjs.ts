/** Runs Keras topologies with TensorFlow.js (a development dependency), the reference for what layers compute. */
import { uniform } from "./random.js";

export interface KerasLayerSpec {
  class_name: string;
  config: Record<string, unknown>;
  /** Functional models: as Keras 2 writes them. */
  inbound_nodes?: unknown[];
}

/** A model as Keras 2 describes it. */
export interface KerasTopology {
  class_name: "Sequential" | "Functional";
  config: { name: string; layers: KerasLayerSpec[]; input_layers?: unknown; output_layers?: unknown };
}

export interface Weights {
  name: string;
  shape: number[];
  data: Float32Array;
}

export interface TfjsModel {
  topology: KerasTopology;
  /** By layer, in Keras's order. */
  weights: Map<string, Weights[]>;
  /** Inputs in the model's order. */
  predict(...inputs: { shape: number[]; data: ArrayLike<number> }[]): { shape: number[]; data: number[] }[];
  /** What TensorFlow.js itself saves. */
  save(): Promise<{ modelTopology: unknown; weightSpecs: object[]; weightData: Uint8Array }>;
}

// biome-ignore lint/suspicious/noExplicitAny: inner classes of the library, which it doesn't export
type Any = any;

let ready: Promise<{ tf: Any; layers: Any }> | undefined;

async function library() {
  const tf: Any = await import("@tensorflow/tfjs-core");
  tf.env().set("IS_TEST", true);
  await import("@tensorflow/tfjs-backend-cpu");
  const layers: Any = await import("@tensorflow/tfjs-layers");
  await tf.setBackend("cpu");
  resetAfter(tf, layers);
  return { tf, layers };
}

/** A model with seeded weights: uniform, variances positive. */
export async function makeTfjs(topology: KerasTopology, seed = 1): Promise<TfjsModel> {
  ready ??= library();
  const { tf, layers } = await ready;
  const model = await layers.loadLayersModel({ load: async () => ({ modelTopology: topology }) });
  const random = uniform(seed);
  const weights = new Map<string, Weights[]>();
  for (const layer of model.layers) {
    const list: Weights[] = layer.weights.map((weight: Any) => {
      const [name, shape] = [weight.originalName as string, weight.shape as number[]];
      const positive = name.endsWith("variance");
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
        positive ? 1 + 0.5 * random() : 0.7 * random(),
      );
      return { name, shape, data };
    });
    layer.setWeights(list.map(({ shape, data }) => tf.tensor(data, shape)));
    weights.set(layer.name, list);
  }
  return {
    topology,
    weights,
    predict(...inputs) {
      const tensors = inputs.map(({ shape, data }) => tf.tensor(Float32Array.from(data), shape));
      const results = [model.predict(tensors.length === 1 ? tensors[0] : tensors)].flat();
      return results.map((result: Any) => ({ shape: result.shape, data: [...result.dataSync()] }));
    },
    async save() {
      let saved: Any;
      await model.save({
        async save(artifacts: Any) {
          saved = artifacts;
          return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
        },
      });
      const { modelTopology, weightSpecs, weightData } = saved;
      return { modelTopology, weightSpecs, weightData: new Uint8Array(weightData) };
    },
  };
}

/** TensorFlow.js can't do reset_after; this adds it as Keras has it (src/layers/rnn/gru.py). */
function resetAfter(tf: Any, layers: Any): void {
  const Cell: Any = layers.layers.gruCell({ units: 1 }).constructor;
  const Gru: Any = layers.layers.gru({ units: 1 }).constructor;
  class KerasCell extends Cell {
    static readonly className = "GRUCell";
    readonly after: boolean;
    constructor(args: Any) {
      super({ ...args, resetAfter: false });
      this.after = args.resetAfter === true;
    }
    build(inputShape: Any) {
      if (!this.after) return super.build(inputShape);
      const self = this as Any;
      const size = inputShape.at(-1);
      const zeros = layers.initializers.zeros();
      self.kernel = self.addWeight("kernel", [size, 3 * self.units], null, zeros, null, true);
      self.recurrentKernel = self.addWeight(
        "recurrent_kernel",
        [self.units, 3 * self.units],
        null,
        zeros,
        null,
        true,
      );
      self.bias = self.useBias ? self.addWeight("bias", [2, 3 * self.units], null, zeros, null, true) : null;
      self.built = true;
    }
    call(inputs: Any, kwargs: Any) {
      if (!this.after) return super.call(inputs, kwargs);
      const self = this as Any;
      return tf.tidy(() => {
        const [x, h] = inputs;
        let xs = tf.matMul(x, self.kernel.read());
        let hs = tf.matMul(h, self.recurrentKernel.read());
        if (self.bias) {
          const [bx, bh] = tf.unstack(self.bias.read());
          xs = tf.add(xs, bx);
          hs = tf.add(hs, bh);
        }
        const [xz, xr, xh] = tf.split(xs, 3, 1);
        const [hz, hr, hh] = tf.split(hs, 3, 1);
        const z = self.recurrentActivation.apply(tf.add(xz, hz));
        const r = self.recurrentActivation.apply(tf.add(xr, hr));
        const n = self.activation.apply(tf.add(xh, tf.mul(r, hh)));
        const next = tf.add(tf.mul(z, h), tf.mul(tf.sub(1, z), n));
        return [next, next];
      });
    }
    getConfig() {
      return { ...super.getConfig(), resetAfter: this.after };
    }
  }
  class KerasGru extends Gru {
    static readonly className = "GRU";
    constructor(args: Any) {
      super({ ...args, resetAfter: false });
      if (args.resetAfter) (this as Any).cell = new KerasCell(args);
    }
    getConfig() {
      return { ...super.getConfig(), resetAfter: (this as Any).cell.after === true };
    }
  }
  // Its executor hands one object of arguments to all calls, in which recurrent layers leave their initial states.
  const bidirectional = layers.layers.bidirectional({ layer: layers.layers.gru({ units: 1 }) }).constructor;
  for (const { prototype } of [KerasGru, bidirectional] as Any[]) {
    const { apply } = prototype;
    prototype.apply = function (inputs: Any, kwargs: Any) {
      const mask = [kwargs?.mask].flat()[0];
      return apply.call(this, inputs, { ...kwargs, ...(mask ? { mask } : {}) });
    };
  }
  tf.serialization.registerClass(KerasCell);
  tf.serialization.registerClass(KerasGru);
}

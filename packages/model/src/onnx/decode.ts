import { fromBinary } from "@bufbuild/protobuf";
import { badModel, unsupported } from "./errors.js";
import { type GraphProto, type ModelProto, ModelProtoSchema } from "./onnx_pb.js";

/** The versions of ONNX's operator set whose meanings the importer knows; from 23 on they add element types only. */
export const OPSETS = { min: 7, max: 25 };

/**
 * Parses the bytes of an ONNX file.
 * @returns its graph and the version of the standard operator set that it uses.
 * @throws SottoError `bad-model` if the bytes are no ONNX model, `unsupported` for other operator sets.
 */
export function decodeModel(bytes: Uint8Array): { graph: GraphProto; opset: number } {
  if (bytes.length === 0) badModel("the file is empty");
  const model = parse(bytes);
  const { graph } = model;
  if (!graph)
    badModel("the file has no graph; it is not an ONNX model (or a damaged one). Expected a ModelProto");
  const standard = model.opsetImport.filter((o) => isStandardDomain(o.domain));
  const version = standard[0]?.version;
  if (standard.length !== 1 || version === undefined)
    badModel(`the model names ${standard.length} versions of the standard operator set, expected one`);
  if (version < OPSETS.min || version > OPSETS.max)
    unsupported(
      `the model uses operator set ${version}; supported are ${OPSETS.min} to ${OPSETS.max}. ` +
        "Export it again with opset_version=17",
    );
  if (graph.sparseInitializer.length > 0)
    unsupported("the model has sparse initialisers; save its weights as dense tensors");
  return { graph, opset: Number(version) };
}

/** The standard operators' domain goes by two names. */
export function isStandardDomain(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}

function parse(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    badModel("the file can't be parsed: it is truncated, damaged, or not an ONNX model", cause);
  }
}

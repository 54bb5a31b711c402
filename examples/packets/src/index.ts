/** What a page or a program needs to classify a capture: nothing here imports from Node. */
export {
  type Features,
  FLOW_FEATURES,
  flowFeatures,
  RANGE,
  WINDOW_FEATURES,
  windowFeatures,
} from "./features.js";
export {
  FLOW_PACKETS,
  type Flow,
  flowsOf,
  WINDOW_PACKETS,
  type Window,
  type WindowPacket,
  windowsOf,
} from "./flows.js";
export type { Packet } from "./packet.js";
export { type Capture, readCapture } from "./pcap.js";

/** Classes of `model/doh.onnx`, in the order of its logits. */
export const dohClasses = ["Benign", "DNS2TCP", "DNSCat2", "Iodine"] as const;

/** Classes of `model/local.onnx`, in the order of its logits. */
export const localClasses = ["normal", "scan", "flood"] as const;

/** Which span of the client's a request belongs to: the W3C header traceparent, if the operator's SDK reads it. */
import { type Context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";

export function traceContext(headers: object): Context {
  return propagation.extract(ROOT_CONTEXT, headers);
}

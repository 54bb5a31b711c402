/** The WebSocket of a stream in the OpenAPI document, which knows the request that opens one and no messages. */
import { STREAM_PROTOCOL, streamOpen, streamState } from "@sotto/wire";
import { z } from "zod";

const ref = (name: string) => `#/components/schemas/${name}`;

export const STREAM_PATH = "/v2/models/{name}/stream";

/** Messages in text; those in binary are described in words. */
export const streamSchemas = {
  StreamOpen: z.toJSONSchema(streamOpen),
  StreamState: z.toJSONSchema(streamState),
};

/** @param name the schema of a model's name. */
export function streamOperation(name: Record<string, unknown>) {
  const header = (named: string, value: string) => ({
    name: named,
    in: "header" as const,
    required: true,
    schema: { const: value },
  });
  return {
    operationId: "stream",
    summary: "A WebSocket: time steps as they come, the hidden state kept between them. For: owner, client.",
    description:
      `The client's first message is JSON as in ${ref("StreamOpen")}; the server answers as in ${ref("StreamState")}, and so it ` +
      "does when the stream fails. Then binary messages, little-endian: from the client u32 number of the chunk, this server's " +
      "share of its input; from the server u32 number, u32 length, so many bytes of JSON (what the chunk cost), this server's " +
      "share of its outputs. docs/protocol.md, Streams.",
    parameters: [
      { name: "name", in: "path" as const, required: true, schema: name },
      header("upgrade", "websocket"),
      header("sec-websocket-protocol", STREAM_PROTOCOL),
    ],
    responses: {
      101: { description: "Switching protocols. Who asks is checked with the first message." },
      404: { description: "No such path." },
      503: { description: "Too many connections that have not said what they want." },
    },
    // a browser sends its token in the first message
    security: [{}],
  };
}

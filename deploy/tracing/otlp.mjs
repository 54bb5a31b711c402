/**
 * Sends a party's spans to an OpenTelemetry collector. Sotto itself depends on @opentelemetry/api alone; install what
 * this needs beside it:
 *
 *   npm install --no-save @opentelemetry/sdk-node @opentelemetry/exporter-trace-otlp-http
 *   OTEL_SERVICE_NAME=sotto-server-0 OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_BSP_SCHEDULE_DELAY=500 \
 *     node --import ./deploy/tracing/otlp.mjs packages/cli/bin/sotto.js server --config server-0.yaml
 *
 * Spans of the last OTEL_BSP_SCHEDULE_DELAY milliseconds before the process ends are not sent.
 */
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { NodeSDK } from "@opentelemetry/sdk-node";

new NodeSDK({ traceExporter: new OTLPTraceExporter() }).start();

/** One reading of a party's metrics. */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { z } from "zod";
import type { Source } from "./sources.js";

const MAX_BYTES = 4 * 2 ** 20;

const metric = z.object({
  name: z.string(),
  values: z.array(
    z.object({
      value: z.number(),
      labels: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
      /** Of a histogram's sum and count. */
      metricName: z.string().optional(),
    }),
  ),
});

/** Sum of the samples of a name whose labels fit. */
export type Values = (name: string, labels?: Record<string, string>) => number;

export interface Reading {
  /** performance.now() when it was asked for. */
  at: number;
  /** Undefined where there was no answer; `error` says why. */
  values: Values | undefined;
  error?: string;
}

/** Never rejects: a party that does not answer is shown as such. */
export async function read(source: Source, timeoutMs: number): Promise<Reading> {
  const at = performance.now();
  try {
    const parsed = z.array(metric).safeParse(JSON.parse(await get(source, timeoutMs)));
    if (!parsed.success) return { at, values: undefined, error: "what answers shows no metrics of sotto" };
    return { at, values: valuesOf(parsed.data) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { at, values: undefined, error: code ?? message };
  }
}

export function valuesOf(metrics: z.output<typeof metric>[]): Values {
  return (name, labels = {}) => {
    let sum = 0;
    for (const { name: own, values } of metrics) {
      for (const { value, labels: has, metricName } of values) {
        const fits = Object.entries(labels).every(([key, wanted]) => String(has[key]) === wanted);
        if ((metricName ?? own) === name && fits) sum += value;
      }
    }
    return sum;
  };
}

function get({ url, tls }: Source, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith("https:") ? httpsRequest : httpRequest;
    const signal = AbortSignal.timeout(timeoutMs);
    const outgoing = request(`${url}/metrics.json`, { ...tls, signal }, (reply) => {
      if (reply.statusCode !== 200) {
        reply.resume();
        return reject(new Error(`HTTP status ${reply.statusCode}`));
      }
      const chunks: Buffer[] = [];
      let length = 0;
      reply.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_BYTES) reply.destroy(new Error("its answer is too long"));
        chunks.push(chunk);
      });
      reply.on("error", reject);
      reply.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    });
    outgoing.on("error", (error) => reject(signal.aborted ? new Error("no answer in time") : error));
    outgoing.end();
  });
}

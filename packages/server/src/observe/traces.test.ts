/** Spans of one inference on all three parties, as an operator's SDK collects them. */
import { propagation, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { deploy } from "@sotto/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { makeTestFolder, TestCluster } from "../testing/cluster.js";
import { testModel } from "../testing/models.js";
import { ask, sharesOf } from "../testing/raw.js";

const model = testModel();
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT_SPAN = "00f067aa0ba902b7";
const spans = new InMemorySpanExporter();

describe("traces", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  beforeAll(async () => {
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
    trace.setGlobalTracerProvider(provider);
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    folder = await makeTestFolder();
    cluster = await TestCluster.start(folder.dir, { limits: { sessionTimeoutMs: 500 } });
    await deploy(cluster.as("owner"), "m", model.compiled);
  });
  afterAll(async () => {
    trace.disable();
    propagation.disable();
    await cluster.stop();
    folder.remove();
  });

  const of = (session: string) =>
    spans.getFinishedSpans().filter((span) => span.attributes["sotto.session"] === session);
  const children = (parent: ReadableSpan) =>
    spans
      .getFinishedSpans()
      .filter((span) => span.parentSpanContext?.spanId === parent.spanContext().spanId)
      .map((span) => span.name);
  const infer = async (bodies: Uint8Array[], headers: Record<string, string> = {}) => {
    const session = newId();
    const requests = bodies.map((body, i) =>
      ask(cluster, i === 0 ? 0 : 1, model.compiled, { model: "m", session, body, headers }),
    );
    await Promise.all(requests);
    return session;
  };

  it("have one session on each party, with prepare, rounds and result below it on a server", async () => {
    const session = await infer(await sharesOf(model, 1));
    await expect.poll(() => of(session).length).toBe(3);
    const byParty = new Map(of(session).map((span) => [span.attributes["sotto.party"], span]));
    for (const party of ["server-0", "server-1"]) {
      const span = byParty.get(party)!;
      expect(span.name).toBe("sotto.session");
      expect(span.attributes).toMatchObject({ "sotto.model": "m", "sotto.rounds": expect.any(Number) });
      expect(children(span)).toEqual(["prepare", "rounds", "result"]);
    }
    expect(byParty.get("dealer")!.name).toBe("sotto.deal");
  });

  it("belong to the client's trace where it states one; the dealer is not told", async () => {
    const traceparent = `00-${TRACE}-${CLIENT_SPAN}-01`;
    const session = await infer(await sharesOf(model, 2), { traceparent });
    await expect.poll(() => of(session).length).toBe(3);
    for (const span of of(session)) {
      const known = span.attributes["sotto.party"] !== "dealer";
      expect(span.spanContext().traceId === TRACE).toBe(known);
      expect(span.parentSpanContext?.spanId).toBe(known ? CLIENT_SPAN : undefined);
    }
  });

  it("belong to the trace that a caller gives to the client's library", async () => {
    let session = "";
    const client = cluster.client();
    await (await client.model("m")).infer(model.input(4), {
      traceparent: `00-${TRACE}-${CLIENT_SPAN}-01`,
      onProgress: (progress) => {
        if (progress.stage === "sent") session = progress.session;
      },
    });
    client.close();
    await expect.poll(() => of(session).length).toBe(3);
    const belonging = of(session).filter((span) => span.parentSpanContext?.spanId === CLIENT_SPAN);
    expect(belonging.map((span) => span.attributes["sotto.party"]).sort()).toEqual(["server-0", "server-1"]);
  });

  it("of a session that failed say why", async () => {
    const [share] = await sharesOf(model, 3);
    const session = await infer([share]);
    const [span] = of(session).filter((s) => s.attributes["sotto.party"] === "server-0");
    expect(span!.attributes["error.type"]).toBe("timeout");
    expect(span!.status.message).toMatch(/may have reached this server only/);
    expect(children(span!)).toEqual(["prepare"]);
  });
});

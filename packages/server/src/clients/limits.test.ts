import { SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import { checkSizes, clientLimits, Limiter } from "./limits.js";

const client = (limits: object, name = "a") => ({ name, key: name, limits: clientLimits.parse(limits) });

function refusal(work: () => unknown): SottoError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(SottoError);
    return error as SottoError;
  }
}

describe("limits of a client", () => {
  it("let a burst through, then one request at a time as the bucket fills, and say when to come again", () => {
    let now = 0;
    const limiter = new Limiter(() => now);
    const a = client({ requestsPerMinute: 60, burst: 3 });
    for (let i = 0; i < 3; i++) limiter.request(a);
    const refused = refusal(() => limiter.request(a))!;
    expect(refused.code).toBe("busy");
    expect(refused.message).toMatch(/client a: more than 60 requests a minute \(limit requestsPerMinute\)/);
    expect(refused.retryAfterMs).toBe(1000);
    now += 400;
    expect(refusal(() => limiter.request(a))!.retryAfterMs).toBeCloseTo(600);
    // another client has a bucket of its own
    limiter.request(client({ requestsPerMinute: 60, burst: 3 }, "b"));
    now += 600;
    limiter.request(a);
    expect(refusal(() => limiter.request(a))).toBeDefined();
    now += 3_600_000;
    for (let i = 0; i < 3; i++) limiter.request(a);
    expect(refusal(() => limiter.request(a))).toBeDefined();
  });

  it("count what runs at the same time", () => {
    const limiter = new Limiter(() => 0);
    const a = client({ concurrent: 2 });
    const [end] = [limiter.begin(a), limiter.begin(a)];
    const refused = refusal(() => limiter.begin(a))!;
    expect([refused.code, refused.message]).toEqual([
      "busy",
      "client a: 2 sessions run already (limit concurrent: 2)",
    ]);
    expect(refused.retryAfterMs).toBeGreaterThan(0);
    end();
    end();
    limiter.begin(a);
    expect(refusal(() => limiter.begin(a))).toBeDefined();
  });

  it("bound sizes, all of them or by name", () => {
    const a = client({ maxSize: 100, maxSizes: { time: 500 } });
    checkSizes(a, { time: 500, batch: 100, "x[0]": 7 });
    const refused = refusal(() => checkSizes(a, { time: 501 }))!;
    expect(refused.code).toBe("forbidden");
    expect(refused.message).toMatch(/client a: size time = 501 exceeds 500 \(limit maxSizes.time\)/);
    expect(refusal(() => checkSizes(a, { batch: 101 }))!.message).toMatch(
      /batch = 101 exceeds 100 \(limit maxSize\)/,
    );
    expect(refusal(() => checkSizes(a, { constructor: 101 }))!.message).toMatch(/limit maxSize\)/);
  });
});

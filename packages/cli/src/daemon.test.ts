import { describe, expect, it } from "vitest";
import { titleOf } from "./daemon.js";

describe("a party's title in the system's list of processes", () => {
  it("names the worker, where there are several", () => {
    const file = "/w/server-0-worker-1.yaml";
    expect(titleOf("sotto server 0", { workers: {} }, file)).toBe("sotto server 0 (server-0-worker-1)");
    expect(titleOf("sotto server 0", {}, file)).toBe("sotto server 0");
  });
});

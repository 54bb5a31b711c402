import { expect, it } from "vitest";
import { ServerApi } from "./cluster.js";

it("what a server says has its name once", () => {
  const transport = { request: () => Promise.reject(new Error()), close() {} };
  const api = new ServerApi({ servers: [{ url: "https://a" }, { url: "https://b/" }] }, 1, transport);
  expect(api.said("server 1: the token has expired")).toBe("server 1 (https://b): the token has expired");
  expect(api.said("no model m")).toBe("server 1 (https://b): no model m");
  // that is another one
  expect(api.said("server 0: gone")).toBe("server 1 (https://b): server 0: gone");
});

/** Bodies that take long to come, are too long, or cannot be what their headers say. */
import { readFileSync } from "node:fs";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { deploy } from "@sotto/client";
import { compile, planHash } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { makeTestFolder, TestCluster } from "../testing/cluster.js";
import { http } from "../testing/http.js";
import { largestError, testModel } from "../testing/models.js";

const model = testModel(2, 4);
const open = randomGru({ seed: 1, hidden: 2, inputSize: 1, steps: 2 });
open.inputs[0]!.shape = ["time", 1, 1];
const openCompiled = compile(open);

describe("uploads", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  beforeAll(async () => {
    folder = await makeTestFolder();
    cluster = await TestCluster.start(folder.dir, { limits: { maxUploads: 2, maxBodyBytes: 2 ** 22 } });
    await deploy(cluster.as("owner"), "m", model.compiled);
    await deploy(cluster.as("owner"), "open", openCompiled);
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  /** A request whose body does not come. */
  function begin(role: "owner" | "client", lines: string[], length: number) {
    const { ca, cert, key } = cluster.as(role).tls!;
    const read = (name: string | undefined) => readFileSync(name!);
    const socket: TLSSocket = connectTls({
      ...{ host: "127.0.0.1", port: cluster.servers[0]!.ports.http },
      ...{ ca: read(ca), cert: read(cert), key: read(key), checkServerIdentity: () => undefined },
    });
    socket.on("error", () => {});
    socket.write(
      [
        ...lines,
        "Host: a",
        "Content-Type: application/octet-stream",
        `Content-Length: ${length}`,
        "",
        "x",
      ].join("\r\n"),
    );
    const reply = new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
    return { socket, reply };
  }
  const put = (name: string) =>
    http(cluster.as("owner"), 0, "PUT", `/v2/models/${name}`, {
      headers: { "content-type": "application/octet-stream" },
      body: new Uint8Array(10),
    });

  it("to an address that is none are refused before they come", async () => {
    const { socket, reply } = begin("client", ["POST /v2/nothing HTTP/1.1"], 1000);
    expect(await reply).toMatch(/^HTTP\/1.1 404 /);
    socket.destroy();
  });

  it("of owners are bounded in number; clients are served meanwhile", async () => {
    const slow = ["a", "b"].map((name) => begin("owner", [`PUT /v2/models/${name} HTTP/1.1`], 1000));
    await expect.poll(async () => (await put("c")).status).toBe(429);
    const refused = await put("c");
    expect(refused.headers["retry-after"]).toBe("1");
    expect(refused.json()).toMatchObject({
      code: "busy",
      message: expect.stringMatching(/limits.maxUploads/),
    });
    const { outputs } = await (await cluster.client().model("m")).infer(model.input(1));
    expect(largestError(outputs, model.expected(1))).toBeLessThan(0.002);
    slow[0]!.socket.destroy();
    await expect.poll(async () => (await put("c")).status).toBe(400);
    // one that has arrived counts no more, whatever comes of it
    expect((await put("c")).status).toBe(400);
    slow[1]!.socket.destroy();
  });

  it("that cannot have the sizes stated are refused before they have come, and before a program is built", async () => {
    const infer = (name: string, plan: string, time: number) => [
      `POST /v2/models/${name}/infer HTTP/1.1`,
      `sotto-session: ${newId()}`,
      `sotto-plan: ${plan}`,
      `sotto-sizes: ${JSON.stringify({ time })}`,
    ];
    const hash = planHash(openCompiled.plan);
    const { reply, socket } = begin("owner", infer("open", hash, 1_000_000), 100_000);
    expect(await reply).toMatch(/bad-input.*an input share of 125000 bytes or more expected .*got 100000/s);
    socket.destroy();
    const chunked = await http(cluster.as("owner"), 0, "POST", "/v2/models/open/infer", {
      headers: {
        "content-type": "application/octet-stream",
        "transfer-encoding": "chunked",
        "sotto-session": newId(),
        "sotto-plan": hash,
        "sotto-sizes": '{"time":1000000}',
      },
      body: new Uint8Array(10),
    });
    expect(chunked.json()).toMatchObject({ code: "bad-input", message: expect.stringMatching(/got 10$/) });
  });

  it("are not read where a request has no body", async () => {
    const { reply, socket } = begin("owner", ["DELETE /v2/models/none HTTP/1.1"], 2000);
    expect(await reply).toMatch(/400.*the body exceeds 1024 bytes/s);
    socket.destroy();
  });
});

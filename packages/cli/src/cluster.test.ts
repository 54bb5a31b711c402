/** `sotto up`, `deploy`, `infer`, `certs`, `dealer`, `server`: the real commands against one cluster. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { compile, instantiate, planHash, prepareInputs, sizesOf } from "@sotto/core";
import { loadModel } from "@sotto/model";
import { readNpy } from "@sotto/model/npy";
import { pytorchFile } from "@sotto/model/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { largestDifference } from "./outputs.js";
import { runPlaintext } from "./plaintext.js";
import { executeHere } from "./testing/in-process.js";
import { CAN_SEE_PROCESSES, freePorts, type Running, until, Workshop } from "./testing/sotto.js";

const shop = new Workshop();
const model = shop.model("gru", { hidden: 8, inputSize: 3, resetAfter: false, head: { outputs: 2 } });
const long = shop.model("long", { hidden: 64, inputSize: 3, resetAfter: true, head: { outputs: 2 } });
const wave = (i: number) => 2 * Math.sin(i);
const x = shop.array("x", [5, 1, 3], wave);
const longX = shop.array("long", [2000, 1, 3], wave);
const [owner, client] = [shop.path("cluster/cluster-owner.yaml"), shop.path("cluster/cluster-client.yaml")];

let port: number;
let up: Running;

/** `sotto up`, until it says what to type next. */
async function startCluster(): Promise<Running> {
  const running = shop.start([
    "up",
    "cluster",
    ...(existsSync(shop.path("cluster")) ? [] : ["--port", String(port)]),
  ]);
  const said = () => running.stdout.includes("Ctrl-C ends the cluster");
  await until(() => said() || running.process.exitCode !== null, "the cluster's start");
  if (!said()) throw new Error(`sotto up ended: ${running.stderr}`);
  return running;
}

async function stop(running: Running, signal: NodeJS.Signals): Promise<number | null> {
  running.process.kill(signal);
  return (await running.finished).code;
}

beforeAll(async () => {
  port = await freePorts();
  up = await startCluster();
});
afterAll(() => shop.close());

describe("a cluster on this machine", () => {
  it("has files that only this user can read", () => {
    expect(statSync(shop.path("cluster")).mode & 0o077).toBe(0);
    expect(readdirSync(shop.path("cluster")).filter((f) => f.endsWith(".yaml"))).toEqual([
      "cluster-client.yaml",
      "cluster-owner.yaml",
      "dealer.yaml",
      "server-0.yaml",
      "server-1.yaml",
      "tokens-0.yaml",
      "tokens-1.yaml",
    ]);
    for (const file of ["dealer", "server-0", "server-1", "owner", "client"]) {
      expect(statSync(shop.path("cluster", "certificates", `${file}.key`)).mode & 0o077).toBe(0);
    }
    expect(up.stdout).toContain(`https://127.0.0.1:${port + 2}`);
  });

  it("shows what it does, in a table or as JSON", async () => {
    const table = await shop.sotto("top", "cluster", "--once", "--interval", "0.2");
    const json = await shop.sotto("top", "cluster", "--once", "--json", "--interval", "0.2");
    expect(table).toMatchObject({ code: 0, stderr: "" });
    expect(table.stdout).toMatch(/ dealer +server 0 +server 1\n/);
    expect(table.stdout).toMatch(/\nconnections +2 of 2 +2 of 2 +2 of 2\n/);
    const { parties } = JSON.parse(json.stdout);
    expect(parties.map((p: { party: string }) => p.party)).toEqual(["dealer", "server-0", "server-1"]);
    for (const { figures } of parties) expect(figures).toMatchObject({ running: 0, latencyMs: null });
  });

  it("streams lines of standard input, one result each, which ends as one run over all of them does", async () => {
    const args = ["--name", "s", "--cluster", owner, "--input-range", "4"];
    expect(await shop.sotto("deploy", model, ...args)).toMatchObject({ code: 0 });
    const rows = Array.from({ length: 5 }, (_, t) => [0, 1, 2].map((i) => wave(3 * t + i)));
    const running = shop.start(["stream", "--name", "s", "--cluster", client], {}, "a,b,c\n");
    for (const [t, row] of rows.entries()) {
      running.process.stdin!.write(`${row.join(",")}\n`);
      // a result comes before the next line is there
      await until(() => running.stdout.split("\n").length > t + 1, `the result of line ${t}`);
    }
    running.process.stdin!.end();
    const { code, stdout, stderr } = await running.finished;
    expect([code, stderr]).toEqual([0, ""]);
    const last = JSON.parse(stdout.trim().split("\n").at(-1)!) as { step: number; outputs: { y: number[] } };
    expect(last.step).toBe(5);
    const compiled = compile(await loadModel(model), { range: 4 });
    const network = instantiate(compiled.plan, { time: 5, batch: 1 });
    const expected = runPlaintext(compiled, network, { x: Float64Array.from(rows.flat()) });
    expect(largestDifference({ y: { shape: [1, 2], data: last.outputs.y } }, expected)).toBeLessThan(0.002);
    const wrong = shop.start(["stream", "--name", "s", "--cluster", client], {}, "1,2\n");
    wrong.process.stdin!.end();
    expect(await wrong.finished).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/line 1: 2 numbers/),
    });
    const size = await shop.sotto("stream", "--name", "s", "--cluster", client, "--size", "rows=2");
    expect([size.code, size.stderr]).toEqual([
      2,
      expect.stringMatching(/no open size of that name; open sizes: /),
    ]);
    const far = shop.start(["stream", "--name", "s", "--cluster", client], {}, "0,0,0\n\n0,9,0\n");
    far.process.stdin!.end();
    const refused = await far.finished;
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^sotto: line 3: input x: element 1 is outside the declared range .*--clip/,
    );
  });

  it("takes a model, and infers", async () => {
    const compiled = compile(await loadModel(model), { range: 4 });
    const deployed = await shop.sotto(
      "deploy",
      model,
      "--name",
      "m",
      "--cluster",
      owner,
      "--input-range",
      "4",
      "--json",
    );
    expect(deployed).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(deployed.stdout)).toEqual({
      name: "m",
      plan: planHash(compiled.plan),
      profile: "lan",
      version: expect.stringMatching(/^[0-9a-f]{32}$/),
      replaced: [null, null],
    });

    const plan = planHash(compiled.plan);
    const args = [
      "--name",
      "m",
      "--cluster",
      client,
      "--input",
      x,
      "--plan",
      plan,
      "--output-dir",
      "out",
      "--json",
    ];
    const inferred = await shop.sotto("infer", ...args);
    expect(inferred).toMatchObject({ code: 0, stderr: "" });
    const json = JSON.parse(inferred.stdout);
    const network = instantiate(compiled.plan, { time: 5, batch: 1 });
    const inputs = { x: { shape: [5, 1, 3], data: readNpy(readFileSync(x)).data } };
    const expected = runPlaintext(compiled, network, prepareInputs(network, inputs, {}));
    expect(largestDifference(json.outputs, expected)).toBeLessThan(0.002);
    expect(readNpy(readFileSync(shop.path("out", "y.npy"))).shape).toEqual([1, 2]);
    expect(json).toMatchObject({ plan, rounds: expect.any(Number), onlineBytes: expect.any(Number) });
  });

  it("takes lengths of many sequences, and tokens of a secret table", async () => {
    const text = shop.file("text.safetensors", pytorchFile("lengths-state"));
    const layers = [
      { embedding: "embedding" },
      { gru: "gru", batch_first: true },
      { take: "last_state" },
      { linear: "fc" },
    ];
    const config = shop.file("text.json", JSON.stringify({ lengths: "längs", layers }));
    const args = ["--name", "text", "--cluster", owner, "--config", config, "--private-embeddings"];
    expect(await executeHere("deploy", text, ...args)).toMatchObject({ code: 0, stderr: "" });
    // more lengths than headers usually have room for
    const B = 1200;
    const tokens = shop.array("tokens", [B, 2], (i) => (i % 2 < 1 + ((i >> 1) % 2) ? 1 + (i % 10) : 0));
    const lengths = shop.array("lengths", [B], (i) => 1 + (i % 2));
    const inputs = ["--input", `tokens=${tokens}`, "--input", `längs=${lengths}`];
    const to = ["--name", "text", "--cluster", client, "--output-dir", shop.path("many")];
    const done = await executeHere("infer", ...to, ...inputs);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    const y = readNpy(readFileSync(shop.path("many", "y.npy")));
    expect(y.shape).toEqual([B, 2]);

    const model = await loadModel(text, { config });
    const compiled = compile(model, { privateEmbeddings: true });
    const given = {
      tokens: { shape: [B, 2], data: readNpy(readFileSync(tokens)).data },
      längs: { shape: [B], data: readNpy(readFileSync(lengths)).data },
    };
    const network = instantiate(compiled.plan, sizesOf(compiled.plan, given));
    const expected = runPlaintext(compiled, network, prepareInputs(network, given, {}));
    expect(largestDifference({ y }, expected)).toBeLessThan(0.002);
  });

  it("says what a deployment replaces, lists the models of both servers, and removes them", async () => {
    const at = ["--cluster", owner];
    const deployed = () => executeHere("deploy", model, "--name", "twice", ...at);
    const version = (stdout: string) => /^version (\w{32})/m.exec(stdout)![1]!;
    const first = version((await deployed()).stdout);
    const { stdout } = await deployed();
    expect(stdout).toMatch(new RegExp(`, replaces ${first}$`, "m"));
    const listed = await executeHere("models", "list", ...at);
    const line = `version ${version(stdout).slice(0, 8)} \\(plan \\w{8}, profile lan, [0-9T:.-]+Z\\), served`;
    expect(listed.stdout).toMatch(
      new RegExp(`^twice: ready\n  server 0: ${line}\n  server 1: ${line}$`, "m"),
    );
    const names = async () => {
      const { stdout } = await executeHere("models", "list", ...at, "--json");
      return (JSON.parse(stdout) as { models: { name: string }[] }).models.map((m) => m.name);
    };
    expect(await names()).toContain("twice");
    const refused = await executeHere("models", "remove", "twice", "--cluster", client);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/not for the certificate of "client"; expected that of owner/);
    expect(await executeHere("models", "remove", "twice", ...at)).toMatchObject({
      code: 0,
      stdout: "twice is removed from both servers\n",
    });
    expect(await names()).not.toContain("twice");
  });

  it("lets in whoever has a token of `sotto token`, until it is revoked", async () => {
    const files = [0, 1].flatMap((i) => ["--file", shop.path("cluster", `tokens-${i}.yaml`)]);
    const made = await executeHere("token", "create", "clinic", ...files, "--max-size", "5");
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sotto_[\w-]{43}\n$/) });
    expect(made.stderr).toMatch(/token of clinic, shown once/);
    const twice = await executeHere("token", "create", "clinic", ...files);
    expect([twice.code, twice.stderr]).toEqual([1, expect.stringMatching(/a token named clinic already/)]);
    const list = await executeHere("token", "list", ...files);
    expect(list.stdout.match(/^ {2}clinic {2}client {2}made \S+ limits \{"maxSize":5\}$/gm)?.length).toBe(2);

    const text = readFileSync(client, "utf8");
    const alone = shop.file("cluster/cluster-token.yaml", text.replace(/^ {2}(cert|key):.*\n/gm, ""));
    const args = ["infer", "--name", "m", "--cluster", alone, "--input"];
    const run = (array: string) => shop.start([...args, array], { SOTTO_TOKEN: made.stdout.trim() }).finished;
    expect(await run(x)).toMatchObject({ code: 0, stderr: "" });
    expect((await run(longX)).stderr).toMatch(/client clinic: size time = 2000 exceeds 5 \(limit maxSize\)/);
    expect((await shop.sotto(...args, x)).stderr).toMatch(/needs a header authorization: Bearer TOKEN/);
    const revoked = await executeHere("token", "revoke", "clinic", ...files);
    expect(revoked.code).toBe(0);
    // both were given
    expect(revoked.stdout).toMatch(/^clinic is revoked in \S+, \S+\n$/);
    expect((await run(x)).stderr).toMatch(/the token is not known here/);
  });

  it("keeps its models when it is started again", async () => {
    expect(await stop(up, "SIGINT")).toBe(0);
    const dealer = readFileSync(shop.path("cluster/dealer.yaml"), "utf8");
    expect(dealer).toContain("level: info");
    shop.file("cluster/dealer.yaml", dealer.replace("level: info", "level: debug"));
    up = await startCluster();
    expect(up.stdout).toContain("wrote nothing");
    const done = await executeHere("infer", "--name", "m", "--cluster", client, "--input", x);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toMatch(/^y {2}\[1, 2\] {2}-?\d\.\d{4}, -?\d\.\d{4}$/m);
  });

  it("says what is wrong with a request", async () => {
    const infer = (...args: string[]) =>
      executeHere("infer", "--name", "m", "--cluster", client, "--input", ...args);
    const shape = await infer(shop.array("flat", [5, 3], wave));
    const unknown = await executeHere("infer", "--name", "nobody", "--cluster", client, "--input", x);
    const plan = await infer(x, "--plan", "0".repeat(64));
    const role = await executeHere("deploy", model, "--name", "m2", "--cluster", client);
    for (const done of [shape, unknown, plan, role]) expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(shape.stderr).toMatch(/input x has shape \[5, 3\], expected \[time, batch, 3\]/);
    expect(unknown.stderr).toMatch(/nobody/);
    expect(plan.stderr).toMatch(/0000/);
    // its name once, and what to give instead
    expect(role.stderr).toMatch(
      /^sotto: server \d \([^)]*\): PUT \S+ is not for the certificate of "client"; .*owner\n {2}hint: give the owner's file with --cluster; .*cluster-owner\.yaml\n$/,
    );
  });

  it("is not reached with other certificates", async () => {
    expect(await shop.sotto("certs", "others")).toMatchObject({ code: 0, stderr: "" });
    const file = readFileSync(client, "utf8").replaceAll("certificates/", "../others/");
    shop.file("cluster/others.yaml", file);
    // and with this cluster's authority, but the client's pair of another one
    shop.file("cluster/mixed.yaml", file.replace("../others/ca.pem", "certificates/ca.pem"));
    const infer = (file: string) =>
      executeHere("infer", "--name", "m", "--cluster", shop.path("cluster", file), "--input", x);
    const others = await infer("others.yaml");
    const mixed = await infer("mixed.yaml");
    const again = await executeHere("certs", shop.path("others"));
    for (const done of [others, mixed]) expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(others.stderr).toMatch(
      new RegExp(`server . \\(https://127\\.0\\.0\\.1:(${port + 2}|${port + 3})\\).*certificate`),
    );
    expect(mixed.stderr).toMatch(/others.client\.pem was not issued by the authority .*ca\.pem/);
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toMatch(/holds certificates already/);
  });

  it.runIf(CAN_SEE_PROCESSES)(
    "ends when a server is killed in the middle, and so does the client",
    async () => {
      await executeHere("deploy", long, "--name", "long", "--cluster", owner);
      const deals = () => readFileSync(shop.path("cluster", "dealer.log"), "utf8").match(/"dealing"/g) ?? [];
      const before = deals().length;
      const infer = shop.start(["infer", "--name", "long", "--cluster", client, "--input", longX, "--json"]);
      // of its 10001 rounds few are over by then
      await until(() => deals().length > before, "the session's beginning");
      process.kill(shop.parties()[2]!, "SIGKILL");
      const done = await infer.finished;
      expect(done).toMatchObject({ code: 1, stdout: "" });
      expect(done.stderr).toMatch(/^sotto: .*(server 1|server-1|127\.0\.0\.1)/);
      const cluster = await up.finished;
      expect(cluster.code).toBe(1);
      expect(cluster.stderr).toMatch(
        /server 1 ended unexpectedly \(signal SIGKILL\).*; its log is .*server-1\.log$/m,
      );
      await until(() => shop.parties().length === 0, "the end of the other parties");
    },
  );

  it("is unreachable when it does not run", async () => {
    const done = await executeHere("infer", "--name", "m", "--cluster", client, "--input", x, "--json");
    expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(done.stderr).toMatch(new RegExp(`127\\.0\\.0\\.1:${port + 2}|127\\.0\\.0\\.1:${port + 3}`));
    expect(done.stderr).toContain("is every party up");
  });
});

describe("a party in the foreground", () => {
  it("listens until it is told to end", async () => {
    for (const role of ["dealer", "server-0"]) {
      const command = role === "dealer" ? "dealer" : "server";
      const running = shop.start([command, "--config", `cluster/${role}.yaml`]);
      await until(() => running.stdout.includes("listening"), `${role} listening`);
      expect(running.stdout).toContain(`127.0.0.1:${role === "dealer" ? port : port + 2}`);
      expect(await stop(running, "SIGTERM")).toBe(0);
    }
  });

  it("names what is wrong with its configuration", async () => {
    const text = readFileSync(shop.path("cluster/server-0.yaml"), "utf8").replace(/party: 0/, "party: 2");
    shop.file("cluster/wrong.yaml", text);
    const wrong = await executeHere("server", "--config", shop.path("cluster/wrong.yaml"));
    const none = await executeHere("dealer", "--config", shop.path("none.yaml"));
    for (const done of [wrong, none]) expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(wrong.stderr).toMatch(/wrong\.yaml: party: .*found 2/);
    expect(none.stderr).toMatch(/none\.yaml/);
  });
});

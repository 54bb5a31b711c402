/** Everything that users get wrong: a message that names the cause, exit code 1 (2 for usage), nothing on stdout. */
import { mkdirSync, readdirSync } from "node:fs";
import { compile, instantiate, prepareInputs } from "@sotto/core";
import { importOnnx } from "@sotto/model";
import { makeGruModel, writeOnnx } from "@sotto/model/testing";
import { afterAll, describe, expect, it } from "vitest";
import { called } from "./called.js";
import { forClient } from "./commands/infer.js";
import { executeHere } from "./testing/in-process.js";
import { Workshop } from "./testing/sotto.js";

const shop = new Workshop();
afterAll(() => shop.close());

const spec = { hidden: 4, inputSize: 3, resetAfter: true };
const model = shop.model("gru", spec);
const wide = shop.model("huge", { ...spec, scale: 1e9 });
const text = shop.file("text.onnx", "this is not a model");
const cut = shop.file("cut.onnx", makeGruModel(spec).subarray(0, 200));
const conv = shop.file(
  "conv.onnx",
  writeOnnx({
    inputs: [{ name: "x", shape: [1, 1, 3] }],
    outputs: [{ name: "y", shape: [1, 1, 3] }],
    nodes: [{ op: "Erf", name: "middle", inputs: ["x"], outputs: ["y"] }],
  }),
);
const at = (value: number) => (i: number) => (i === 4 ? value : 0.123456789);
const good = shop.array("good", [2, 1, 3], at(0));
const flat = shop.array("flat", [2, 3], at(0));
const nan = shop.array("nan", [2, 1, 3], at(Number.NaN));
const infinite = shop.array("infinite", [2, 1, 3], at(Number.NEGATIVE_INFINITY));
const far = shop.array("far", [2, 1, 3], at(8.7654321));

describe("sotto run", () => {
  it.each([
    ["a file that is not a model", [text, "--input", good], /text\.onnx.*not an ONNX model/],
    ["a damaged model", [cut, "--input", good], /cut\.onnx/],
    ["no model", [shop.path("none.onnx"), "--input", good], /none\.onnx can't be read/],
    ["an unsupported operator", [conv, "--input", good], /conv\.onnx.*Erf/],
    ["a wrong shape", [model, "--input", flat], /input x has shape \[2, 3\], expected \[time, batch, 3\]/],
    ["NaN", [model, "--input", nan], /input x: element 4 \(\[1,0,1\]\) is NaN or infinite/],
    ["infinity", [model, "--input", infinite], /input x: element 4 \(\[1,0,1\]\) is NaN or infinite/],
    [
      "a value out of range",
      [model, "--input", far],
      /element 4 \(\[1,0,1\]\) is outside the declared range \|x\| <= 8/,
    ],
    ["a model that does not fit", [wide, "--input", good], /layer gru/],
    [
      "a range that does not fit",
      [model, "--input", good, "--input-range", "1e12"],
      /layer gru: .*input range/,
    ],
    [
      "a file for an output directory",
      [model, "--input", good, "--output-dir", text],
      /output directory \S*text\.onnx can't be written: \S*text\.onnx is no directory; name a directory/,
    ],
    ["a missing input file", [model, "--input", shop.path("none.npy")], /none\.npy can't be read/],
    [
      "a directory as input",
      [model, "--input", shop.dir],
      /can't be read: it is a directory; expected a regular/,
    ],
    [
      "a directory as model",
      [shop.dir, "--input", good],
      /can't be read: it is a directory; expected a regular/,
    ],
    ["a device as model", ["/dev/null", "--input", good], /\/dev\/null can't be read: it is a device/],
    ["an input that is not NPY", [model, "--input", text], /text\.onnx: NPY file/],
  ])("%s", async (_, args, message) => {
    const done = await executeHere("run", ...args, "--json");
    expect(done.stderr).toMatch(message);
    expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(done.stderr).toMatch(/^sotto: /);
    // no stack, no value
    expect(done.stderr).not.toMatch(/ {4}at |unexpected error|8\.765|0\.1234/);
    expect(shop.leftDirectories()).toEqual([]);
  });
});

describe("the real command", () => {
  it("ends quietly when nobody reads what it prints", async () => {
    const running = shop.start(["inspect", model]);
    running.process.stdout!.destroy();
    expect(await running.finished).toMatchObject({ code: 141, stderr: "" });
  });

  it("names TMPDIR when there is no such directory", async () => {
    const TMPDIR = shop.path("nowhere");
    const done = await shop.start(["run", model, "--input", good], { TMPDIR }).finished;
    expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(done.stderr).toMatch(/^sotto: no temporary directory .*nowhere.*; set TMPDIR/);
  });

  it("ends with these exit codes", async () => {
    const [failed, usage] = await Promise.all([shop.sotto("run", model, "--input", nan), shop.sotto("rum")]);
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(usage).toMatchObject({ code: 2, stdout: "" });
    for (const { stderr } of [failed, usage]) expect(stderr).toMatch(/^sotto: .*\n/);
  });
});

describe("sotto infer", () => {
  it("says of a value out of range what a client can do", () => {
    const network = instantiate(compile(importOnnx(makeGruModel(spec))).plan, { time: 1, batch: 1 });
    const inputs = { x: { shape: [1, 1, 3], data: Float32Array.of(0, 9, 0) } };
    let error: unknown;
    try {
      prepareInputs(network, inputs, {});
    } catch (e) {
      error = forClient(e);
    }
    const { message } = error as Error;
    expect(message).toMatch(
      /outside the declared range \|x\| <= 8; .*--clip.* owner .*larger --input-range$/,
    );
    expect(message).not.toContain("declare a larger");
    const other = new Error("something else");
    expect(forClient(other)).toBe(other);
  });
});

describe("usage", () => {
  it.each([
    ["no command", [], /Usage: sotto/],
    ["an unknown command", ["rum"], /unknown command 'rum'/],
    ["no --input", ["run", model], /--input/],
    ["an input without --input", ["run", model, "x.npy"], /unexpected argument x.npy.*as --input x.npy\n/],
    ["no cluster to watch", ["top"], new RegExp(`\`${called()} top cluster\``)],
    ["a wrong command of a command", ["models", "rm"], new RegExp(`hint: ${called()} models --help`)],
    ["a missing argument", ["token", "create"], new RegExp(`hint: ${called()} token create --help`)],
    ["an unknown option", ["run", model, "--input", good, "--inptu", good], /unknown option '--inptu'/],
    ["an unknown option instead of --input", ["run", model, "--inptu", good], /unknown option '--inptu'/],
    [
      "a range given twice",
      ["run", model, "--input", good, "--input-range", "x=4", "--input-range", "x=5"],
      /Declared twice/,
    ],
    ["an unknown input", ["run", model, "--input", `z=${good}`], /no input of that name; its inputs: x/],
    ["a bad range", ["run", model, "--input", good, "--input-range", "-1"], /--input-range.*above 0/],
    ["no workers", ["up", "c", "--workers", "0"], /'0' is invalid. Expected a whole number from 1 to 64\./],
    ["part of a step", ["stream", "--steps", "0.5"], /'0.5' is invalid. Expected a whole number above 0\./],
    ["a port's name", ["up", "c", "--port", "http"], /is invalid. Expected a port from 1024 to 65000\./],
    [
      "an empty directory's name",
      ["up", ""],
      /'' is invalid for argument 'dir'. Expected a directory's name/,
    ],
    ["a bad size", ["inspect", model, "--size", "time"], /--size.*NAME=N/],
    ["a bad name", ["deploy", model, "--name", "../x", "--cluster", "c"], /--name.*letters/],
  ])("%s", async (_, args, message) => {
    const done = await executeHere(...args);
    expect(done.stderr).toMatch(message);
    expect(done).toMatchObject({ code: 2, stdout: "" });
  });

  it("help is not an error, has an example and says the exit codes", async () => {
    const help = await executeHere("--help");
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/Exit codes:\n {2}0 /);
    // what the parties of a local cluster run is not for users
    expect(help.stdout).not.toMatch(/^ {2}party /m);
  });
});

describe("a file, or a folder of certificates, in the place of a cluster's directory", () => {
  const folder = shop.path("cluster", "certificates");
  mkdirSync(folder, { recursive: true });
  shop.file("cluster/certificates/ca.pem", "");
  shop.file("cluster/dealer.yaml", "");
  mkdirSync(shop.path("certs"));
  shop.file("certs/ca.pem", "");
  it.each([
    ["up, a file", ["up", text], /text\.onnx is no directory; name the directory of a cluster, or a new one/],
    [
      "up with workers, a file",
      ["up", text, "--workers", "1"],
      /text\.onnx is no directory; name the directory/,
    ],
    [
      "up, a cluster's certificates",
      ["up", folder],
      /those of the cluster in \S*cluster; `\S*.* up \S*cluster` starts/,
    ],
    [
      "up, other certificates",
      ["up", shop.path("certs")],
      /certs holds certificates, not a cluster; name another/,
    ],
    ["certs, a file", ["certs", text], /text\.onnx is no directory; name a directory/],
    ["top, a file", ["top", text], /dealer\.yaml: there is no such file; .*\n {2}hint: .* up DIR/],
    [
      "a directory as a cluster file",
      ["models", "list", "--cluster", shop.dir],
      /: it is a directory; expected a YAML/,
    ],
    [
      "a token's file in no directory",
      ["token", "create", "a", "--file", "none/a.yaml"],
      /there is no directory none\n/,
    ],
  ])("%s", async (_, args, message) => {
    const done = await executeHere(...args);
    expect(done.stderr).toMatch(message);
    expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(readdirSync(folder)).toEqual(["ca.pem"]);
  });
});

describe("sotto token create", () => {
  it("says where it begins a new file", async () => {
    const [known, typo] = [shop.path("tokens.yaml"), shop.path("tokens.yml")];
    const first = await executeHere("token", "create", "a", "--file", known);
    expect(first.stderr).toMatch(/note: there was no \S*tokens\.yaml yet: begun anew\. .*clients\.tokens/);
    const second = await executeHere("token", "create", "b", "--file", known);
    expect([second.code, second.stderr]).toEqual([0, expect.not.stringContaining("note")]);
    const third = await executeHere("token", "create", "c", "--file", known, "--file", typo);
    expect(third.stderr).toMatch(/there was no \S*tokens\.yml yet/);
    expect(third.stdout).toMatch(/^sotto_[\w-]{43}\n$/);
  });
});

describe("what is not there, or is something else", () => {
  const missing = shop.path("nowhere.yaml");
  it.each([
    [
      "a model",
      ["run", "nowhere.onnx", "--input", good],
      /nowhere.onnx can't be read: there is no such file\n/,
    ],
    [
      "an input",
      ["run", model, "--input", "nowhere.npy"],
      /nowhere.npy can't be read: there is no such file\n/,
    ],
    [
      "a cluster file",
      ["infer", "--name", "m", "--cluster", missing, "--input", good],
      new RegExp(
        `there is no such file; .*\n {2}hint: .*\`${called()} up DIR\` writes the files of a cluster on this machine\n$`,
      ),
    ],
    [
      "a configuration",
      ["server", "--config", missing],
      new RegExp(`there is no such file; .*\n {2}hint: .*\`${called()} up DIR\` writes`),
    ],
    [
      "a file of tokens",
      ["token", "list", "--file", missing],
      new RegExp(`there is no such file; .*\n {2}hint: is the path right\\? \`${called()} token create`),
    ],
    ["a model as a configuration", ["dealer", "--config", model], /it is no text; expected a YAML file\n$/],
  ])("%s: said with what to do", async (_, args, message) => {
    const done = await executeHere(...args);
    expect(done.stderr).toMatch(message);
    expect(done.code).toBe(1);
  });
});

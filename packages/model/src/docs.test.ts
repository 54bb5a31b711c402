/** What the documents show is what the code takes. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readConfig } from "./pytorch/config.js";
import { readPrint } from "./pytorch/print.js";

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const models = read("../../../docs/models.md");
const pytorch = read("../../../docs/pytorch.md");

describe("docs/models.md", () => {
  const rows = models.split("\n").filter((line) => line.startsWith("| ") && line.includes(".test.ts"));

  it("names tests that exist", () => {
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) {
      const [, file, name] = /`(\S+\.test\.ts)` "([^"]+)" \|$/.exec(row) ?? [];
      const other = /^(cli|core)\/(.*)$/.exec(file ?? "");
      const path = other ? `../../${other[1]}/src/${other[2]}` : file;
      expect(path && read(path), row).toContain(`"${name}"`);
    }
  });
});

describe("docs/pytorch.md", () => {
  const blocks = [...pytorch.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, kind, text]) => ({
    kind,
    text: text!,
  }));

  it("shows configurations that can be read", () => {
    const json = blocks.filter((b) => b.kind === "json");
    expect(json.map((b) => readConfig(b.text).steps.length)).toEqual([4, 3]);
    const printed = blocks.filter((b) => b.kind === "");
    expect(printed.map((b) => readPrint(b.text).steps.map((s) => s.op))).toEqual([
      ["embedding", "gru", "linear"],
    ]);
  });

  it("shows layers that are known", () => {
    const layers = [...pytorch.matchAll(/^\| (`["{][^|]*?`) \|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/`([^`]+)`/g)].map((m) => m[1]!),
    );
    expect(layers.length).toBeGreaterThan(20);
    for (const layer of layers.filter((l) => l !== '{"take": "..."}'))
      expect(() => readConfig(`{"layers": [${layer}]}`), layer).not.toThrow();
  });

  it("shows the export that the fixture was made with", () => {
    const plain = (text: string) => text.replaceAll(/\s+/g, "");
    const shown = blocks.find((b) => b.text.startsWith("torch.onnx.export"))!.text;
    const tested = plain(read("../fixtures/pytorch/make.py"));
    expect(tested).toContain(plain(shown.slice(shown.indexOf("opset_version"))));
  });
});

import { expect, it } from "vitest";
import { deadLinks, pageOf } from "./links.js";

function check(files: Record<string, string>, others: string[] = []): string[] {
  const pages = new Map(Object.entries(files).map(([path, text]) => [path, pageOf(path, text)]));
  return deadLinks(pages, (path) => Object.hasOwn(files, path) || others.includes(path));
}

it("links to files that are there, pictures and other hosts are alive", () => {
  const text =
    "[a](docs/b.md) ![](p.svg) [c](https://example.org/x#y) [d](mailto:a@example.org) <a href='docs/b.md'>e</a>";
  expect(check({ "a.md": text, "docs/b.md": "[up](../a.md)" }, ["p.svg"])).toEqual([]);
});

it("a file that is not there is said with the page and the link", () => {
  expect(check({ "docs/a.md": "[x](b.md)\n![](p.svg)" })).toEqual([
    "docs/a.md: b.md: there is no such file",
    "docs/a.md: p.svg: there is no such file",
  ]);
});

it("a link out of the repository is dead", () => {
  expect(check({ "a.md": "[x](../b.md)" }, ["../b.md"])).toEqual([
    "a.md: ../b.md: leads out of the repository",
  ]);
});

it("headings are named as GitHub names them, the second one of a name with a number", () => {
  const b = "# `sotto up`, and more\n\n## Notes\n\n## Notes";
  expect(check({ "a.md": "[x](b.md#sotto-up-and-more) [y](b.md#notes-1)", "b.md": b })).toEqual([]);
  expect(check({ "a.md": "# Top\n\n[x](b.md#notes-2) [y](#top) [z](#bottom)", "b.md": b })).toEqual([
    "a.md: b.md#notes-2: there is no such heading",
    "a.md: #bottom: there is no such heading",
  ]);
});

it("pages of HTML have the ids that are written in them", () => {
  expect(check({ "a.html": `<h2 id="x">Title</h2><a href="#x">1</a><a href="#title">2</a>` })).toEqual([
    "a.html: #title: there is no such heading",
  ]);
});

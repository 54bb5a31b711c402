/**
 * `npm run docs:links`: checks the links of every Markdown file of the repository, and of the site where `npm run docs` has
 * built it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deadLinks, type Page, pageOf } from "./links.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const SITE = join(ROOT, ".cache/docs");

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: ROOT,
  encoding: "utf8",
});
let dead = report(ROOT, tracked.trim().split("\n"));
if (existsSync(SITE)) {
  const files = readdirSync(SITE, { recursive: true, encoding: "utf8" });
  dead += report(
    SITE,
    files.filter((f) => f.endsWith(".html")),
  );
} else console.log("the site is not built (npm run docs): not checked");
process.exit(dead > 0 ? 1 : 0);

function report(root: string, paths: readonly string[]): number {
  const there = paths.filter((path) => existsSync(join(root, path)));
  const pages = new Map<string, Page>(
    there.map((path) => [path, pageOf(path, readFileSync(join(root, path), "utf8"))]),
  );
  const found = deadLinks(pages, (path) => existsSync(join(root, path)));
  for (const line of found) console.error(line);
  const links = [...pages.values()].reduce((n, p) => n + p.links.length, 0);
  console.log(`${root}: ${pages.size} pages, ${links} links, ${found.length} dead`);
  return found.length;
}

/** Links of Markdown files and HTML pages to files and headings that must be there. Other hosts are not asked. */
import { dirname, join, normalize } from "node:path/posix";
import GithubSlugger from "github-slugger";
import { Parser } from "htmlparser2";
import MarkdownIt from "markdown-it";

export interface Page {
  /** What a #fragment may name. */
  ids: Set<string>;
  /** href and src, as they are written. */
  links: string[];
}

const markdown = new MarkdownIt({ html: true });
const HEADING = /^h[1-6]$/;

/** @param path by whose end it is Markdown or HTML. */
export function pageOf(path: string, text: string): Page {
  return pageOfHtml(path.endsWith(".md") ? markdown.render(text) : text);
}

/** Headings without an id get the one that GitHub gives them. */
function pageOfHtml(html: string): Page {
  const page: Page = { ids: new Set(), links: [] };
  const slugger = new GithubSlugger();
  let heading: string | undefined;
  const parser = new Parser({
    onopentag(name, { id, href, src }) {
      if (id !== undefined) page.ids.add(id);
      if (HEADING.test(name) && id === undefined) heading = "";
      // where fonts and icons come from is no link
      if (href !== undefined && name !== "use") page.links.push(href);
      if (src !== undefined) page.links.push(src);
    },
    ontext(text) {
      if (heading !== undefined) heading += text;
    },
    onclosetag(name) {
      if (heading === undefined || !HEADING.test(name)) return;
      page.ids.add(slugger.slug(heading));
      heading = undefined;
    },
  });
  parser.end(html);
  return page;
}

/**
 * Links that lead nowhere, one text each.
 * @param pages by path, relative to one root
 * @param exists whether a path under that root is a file or a directory
 */
export function deadLinks(pages: ReadonlyMap<string, Page>, exists: (path: string) => boolean): string[] {
  return [...pages].flatMap(([path, { links }]) =>
    links.flatMap((link) => {
      const why = whyDead(path, link, pages, exists);
      return why ? [`${path}: ${link}: ${why}`] : [];
    }),
  );
}

function whyDead(
  path: string,
  link: string,
  pages: ReadonlyMap<string, Page>,
  exists: (path: string) => boolean,
): string | undefined {
  // a scheme, or another host
  if (/^([a-z][a-z+.-]*:|\/\/)/i.test(link)) return undefined;
  const [file, fragment] = link.split("#", 2) as [string, string?];
  const target = file === "" ? path : normalize(join(dirname(path), decodeURIComponent(file.split("?")[0]!)));
  if (target.startsWith("../")) return "leads out of the repository";
  if (!exists(target)) return "there is no such file";
  const page = pages.get(target);
  if (!fragment || !page) return undefined;
  return page.ids.has(decodeURIComponent(fragment)) ? undefined : "there is no such heading";
}

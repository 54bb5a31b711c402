import { createHash } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { cleanSubject, cleanText } from "./clean.js";
import { findDuplicates, normalise } from "./duplicates.js";
import { loadMails, type Mails, partOf, threadOf } from "./mails.js";
import { htmlToText, parseMail } from "./mime.js";
import { mailWords } from "./tokenizer.js";

describe("parseMail", () => {
  it("decodes a folded, encoded subject and a quoted-printable text", () => {
    const mail = parseMail(
      "From: a@b.example\nSubject: =?iso-8859-1?Q?caf=E9_?=\n =?utf-8?B?b2xl?=\n" +
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nna=C3=AFve so=\nft",
    );
    expect(mail).toEqual({ subject: "caf\u00e9 ole", text: "na\u00efve soft" });
  });

  it("prefers the plain part of a nested multipart", () => {
    const mail = parseMail(
      'Content-Type: multipart/mixed; boundary="A"\n\npreamble\n--A\n' +
        'Content-Type: multipart/alternative; boundary="B"\n\n--B\nContent-Type: text/html\n\n<p>rich</p>\n' +
        "--B\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\ncGxhaW4=\n--B--\n--A--\n",
    );
    expect(mail.text.trim()).toBe("plain");
  });

  it("turns HTML into text", () => {
    const html =
      "<html><style>p {}</style><p>fr<!-- x -->ee <b>mo</b>ney&nbsp;&amp;<br>more &#36;</p></html>";
    expect(htmlToText(html).split(/\s+/).filter(Boolean)).toEqual(["free", "money", "&", "more", "$"]);
  });
});

describe("cleaning", () => {
  it("removes list tags and footers", () => {
    expect(cleanSubject("Re: [ILUG] hello [2]")).toBe("Re: hello [2]");
    expect(cleanText(`hello\n${"_".repeat(47)}\nSome mailing list\nSome@list.example`)).toBe("hello");
  });
});

describe("findDuplicates", () => {
  it("finds copies that differ by a name and a number", () => {
    const body = "earn money at home with this simple plan that pays every week and never fails you again";
    expect(findDuplicates([`Ann, ${body} 17`, "something else", `Bob, ${body} 99`])).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe("loadMails", () => {
  let mails: Mails;
  beforeAll(async () => {
    mails = await loadMails();
  });

  it("splits into parts of about 70, 10 and 20 per cent with both classes", () => {
    const all = mails.train.length + mails.validation.length + mails.test.length;
    expect(all).toBeGreaterThan(4000);
    expect(mails.train.length / all).toBeCloseTo(0.7, 1);
    expect(mails.test.length / all).toBeCloseTo(0.2, 1);
    for (const part of Object.values(mails)) {
      const spam = part.filter((mail) => mail.spam).length;
      expect(spam / part.length).toBeGreaterThan(0.2);
      expect(spam / part.length).toBeLessThan(0.3);
    }
  });

  it("gives disjoint parts: no mail, text, start or conversation is in two", () => {
    const views: ((mail: Mails["test"][number]) => string)[] = [
      (mail) => mail.id,
      (mail) => normalise(mail.text),
      (mail) => threadOf(mail.subject) || mail.id,
      // What the model reads.
      (mail) => mailWords(mail).slice(0, 64).join(" "),
    ];
    const shared: string[] = [];
    for (const view of views) {
      const seen = new Map<string, string>();
      for (const [part, list] of Object.entries(mails)) {
        for (const mail of list) {
          const key = view(mail);
          if ((seen.get(key) ?? part) !== part) shared.push(`${mail.id}: ${key}`);
          seen.set(key, part);
        }
      }
    }
    expect(shared).toEqual([]);
  });

  it("depends on nothing but the content, and is the same on every machine", () => {
    const all = Object.entries(mails);
    expect(all.flatMap(([part, list]) => list.filter((mail) => partOf(mail) !== part))).toEqual([]);
    const ids = all.map(([part, list]) => [part, ...list.map((mail) => mail.id)]);
    const digest = createHash("sha256").update(JSON.stringify(ids)).digest("hex");
    expect(digest).toBe("f4968d0e4e63b4ac4a0422c285747474797d8f5c4d614cc5e57cf37907734502");
  });
});

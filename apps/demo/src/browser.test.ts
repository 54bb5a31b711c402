/** The client and the page in a real browser, against servers that are processes of their own. */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { connect, loadCluster } from "@sotto/client";
import { EcgGenerator, RATE, seeded } from "@sotto/example-heart";
import { loadVocabulary, tokenize } from "@sotto/example-spam";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium, launchChromium } from "./chromium.js";
import { type Demo, startDemo } from "./demo.js";
import { pageInputs } from "./page.js";
import { clientBundle } from "./testing/client-bundle.js";

const missing = !findChromium() && !process.env.CI;
if (missing)
  process.stderr.write(
    "skipped: no Chromium is installed (Debian's package chromium); with CI set this fails\n",
  );

/** Private results of the same input differ by as much as the arithmetic rounds. */
const CLOSE = 2;
const SLOW_MS = 120_000;
/** To build the page and to start four processes on a busy machine. */
const START_MS = 600_000;
const MAIL = "Get your free credit report now, click here to claim the money";

describe.skipIf(missing)("in Chromium", () => {
  let demo: Demo;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    [demo, browser] = await Promise.all([startDemo(0, () => {}), launchChromium()]);
  }, START_MS);
  afterAll(async () => {
    await browser?.close();
    await demo?.close();
  });

  async function open(path: string, width = 1200): Promise<Page> {
    await page?.close();
    page = await browser.newPage({ viewport: { width, height: 900 } });
    page.setDefaultTimeout(SLOW_MS);
    errors.length = 0;
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) errors.push(message.text());
    });
    // the page asks nothing in a window of the browser's
    page.on("dialog", (dialog) => {
      errors.push(dialog.message());
      void dialog.dismiss();
    });
    await page.goto(demo.url + path);
    return page;
  }

  describe("the client", () => {
    it("infers and streams with a token, and gets what the client in Node gets", async () => {
      const data = [...tokenize(MAIL, await loadVocabulary())];
      const inNode = connect(loadCluster(demo.cluster.client));
      const nodeModel = await inNode.model("spam");
      const expected = [
        ...(await nodeModel.infer({ tokens: { shape: [1, 64], data } })).outputs.logits!.data,
      ];
      const nodeStream = await nodeModel.stream();
      const expectedSteps: number[][] = [];
      const words = data.slice(-3);
      for (const word of words) {
        const { outputs } = await nodeStream.step({ tokens: { shape: [1, 1], data: [word] } });
        expectedSteps.push([...outputs.logits!.data]);
      }
      inNode.close();

      // a page of the allowed origin, with nothing in it but the client
      await open("/cluster.json");
      await page.addScriptTag({ type: "module", content: await clientBundle() });
      const got = await page.evaluate(
        async ([data, words, plan]) => {
          const { connect } = (globalThis as unknown as { sotto: typeof import("@sotto/client") }).sotto;
          const cluster = await (await fetch("/cluster.json")).json();
          const client = connect(cluster, { token: cluster.token });
          const model = await client.model("spam", { plan });
          const { outputs, stats } = await model.infer({ tokens: { shape: [1, 64], data } });
          const stream = await model.stream();
          const steps: number[][] = [];
          for (const word of words) {
            const step = await stream.step({ tokens: { shape: [1, 1], data: [word] } });
            steps.push([...step.outputs.logits!.data]);
          }
          await stream.close();
          const refused = connect(cluster, { token: "sotto_none" });
          const code = await refused.model("spam").catch((error) => error.code);
          client.close();
          return { logits: [...outputs.logits!.data], rounds: stats.rounds, steps, code };
        },
        [data, words, nodeModel.hash] as const,
      );
      expect(expected.every((value) => Math.abs(value) > 0.1)).toBe(true);
      got.logits.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, CLOSE);
      });
      expect(got.steps).toHaveLength(words.length);
      got.steps.flat().forEach((value, i) => {
        expect(value).toBeCloseTo(expectedSteps.flat()[i]!, CLOSE);
      });
      expect(got.rounds).toBeGreaterThan(64);
      expect(got.code).toBe("unauthorized");
    });
  });

  describe("the page", () => {
    const answer = () => page.locator(".answer strong").first().textContent();
    const shown = () => page.locator(".server .hex").allTextContents();
    const roundsSoFar = () => page.locator(".figure dd").first().textContent();
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    const button = (name: string) => page.getByRole("button", { name });
    /** As it is done with the keyboard. */
    const press = async (name: string) => {
      await button(name).focus();
      await page.keyboard.press("Enter");
    };

    it("labels a message as it is typed, and another one otherwise", async () => {
      await open("/");
      await page.waitForSelector(".answer");
      expect(await answer()).toBe("spam");
      await page
        .getByLabel(/Type or paste a message/)
        .fill(
          "Anna, could you look at the patch for the parser? I think the old version is still on the test machine.",
        );
      await page.waitForFunction(() => document.querySelector(".answer strong")?.textContent === "not spam");
      // no answer to what is not there, nor to what the network cannot know
      const hint = () => page.locator(".hint").textContent();
      for (const [message, why] of [
        [" ", /no word here/],
        ["qwxz zzyx", /knows none of these words/],
      ] as const) {
        await page.getByLabel(/Type or paste a message/).fill(message);
        await page.waitForFunction(() => !document.querySelector(".answer"));
        expect(await hint()).toMatch(why);
        expect(await page.locator(".own").textContent()).toMatch(/nothing is sent\.$/);
        expect(await roundsSoFar()).toBe("0");
      }
      await page.getByLabel(/Type or paste a message/).fill("one ".repeat(65));
      await page.waitForSelector(".answer");
      expect(await hint()).toBe("The network reads the first 64 words; the last one is ignored.");
      expect(await page.locator(".own").textContent()).toMatch(/the network reads 64 words/);
      expect(errors).toEqual([]);
    });

    it("runs the same again: all that the servers saw is new, the answer is not", async () => {
      await open("/");
      await page.waitForSelector(".answer");
      const [before, label] = [await shown(), await answer()];
      await button("Run the same again").and(page.locator("[aria-disabled=false]")).waitFor();
      await press("Run the same again");
      await page.waitForSelector(".same");
      expect(await focused()).toBe("Run the same again");
      expect(await page.locator(".same").textContent()).toMatch(/^The same answer: spam/);
      expect(await answer()).toBe(label);
      const after = await shown();
      expect(after).toHaveLength(4);
      after.forEach((text, i) => {
        expect(text).not.toBe(before[i]);
      });
      const parts = await page.locator(".server .diff").allTextContents();
      // one byte of 256 is the same by chance
      for (const part of parts) expect(Number.parseFloat(part)).toBeGreaterThan(97);
      expect(await page.locator(".side:not(.server) .diff").textContent()).toMatch(/^0\.0\s%/);
    });

    it("replays the rounds of a run slowly, and says that it does", async () => {
      await open("/cluster.json");
      await page.addInitScript(() => {
        const replayed = new Set<string>();
        const totals = new Set<string>();
        Object.assign(globalThis, { replayed, totals });
        new MutationObserver(() => {
          const total = document.querySelector(".figure dd")?.textContent;
          if (total) totals.add(total);
          const text = document.querySelector(".replay p")?.textContent ?? "";
          if (/^Replay, ([0-9.]+ times slower than|as fast as) it was: round \d+ of 321/.test(text))
            replayed.add(text);
        }).observe(document, { subtree: true, childList: true, characterData: true });
      });
      await page.goto(demo.url);
      const told = page.locator(".replay p");
      const replay = () =>
        page.waitForFunction(() => {
          const { replayed } = globalThis as unknown as { replayed: Set<string> };
          const told = document.querySelector(".replay p")?.textContent ?? "";
          const over = replayed.size > 4 && /rounds in/.test(told);
          if (over) replayed.clear();
          return over;
        });
      await replay();
      expect(await told.textContent()).toMatch(/^Each mark is 2 rounds.*; 321 rounds in \d+\sms$/);
      expect(await roundsSoFar()).toBe("321");
      await press("Replay the rounds");
      await replay();
      expect(await focused()).toBe("Replay the rounds");
      // the rounds of all runs stay what they are
      const totals = () =>
        page.evaluate(() => [...(globalThis as unknown as { totals: Set<string> }).totals]);
      expect(await totals()).toEqual(["0", "321"]);
      // whoever wants no motion sees the end at once, of every run, and a replay only of the run that it is asked of
      await page.emulateMedia({ reducedMotion: "reduce" });
      await page.reload();
      await page.waitForSelector(".replay");
      expect(await told.textContent()).toMatch(/rounds in/);
      await button("Replay the rounds").click();
      await replay();
      await page.getByRole("button", { name: "Run the same again" }).click();
      await page.locator(".figure dd").first().getByText("642").waitFor();
      await page.locator(".figure.busy").waitFor({ state: "detached" });
      expect(await told.textContent()).toMatch(/rounds in/);
      expect(await totals()).toEqual(["0", "321", "642"]);
    });

    it("shows the plaintext model's answer when it is asked for, and loads it only then", async () => {
      await open("/");
      const loaded: string[] = [];
      page.on("request", (request) => loaded.push(request.url()));
      await page.waitForSelector(".answer");
      expect(loaded.filter((url) => /\.(wasm|onnx)$/.test(url))).toEqual([]);
      await page.getByRole("button", { name: "Compare with plaintext" }).click();
      await page.waitForFunction(() => document.querySelectorAll(".answer").length === 2);
      const [privately, plainly] = await page.locator(".answer").allTextContents();
      expect(plainly!.replace(/^Plaintext, here/, "").slice(0, 8)).toBe(
        privately!.replace(/^Private/, "").slice(0, 8),
      );
      expect(loaded.some((url) => url.endsWith(".wasm"))).toBe(true);
    });

    it("is made anew after a change in any package and any file that it is made of", () => {
      const made = pageInputs().map((file) => relative(process.cwd(), file));
      expect(made).toEqual(
        expect.arrayContaining([
          "apps/demo/page/index.html",
          "apps/demo/page/src/style.css",
          "packages/wire/dist/stream.js",
          "examples/heart/dist/index.js",
          "examples/spam/model/vocabulary.json",
          "examples/packets/samples/scan-syn.pcap",
        ]),
      );
    });

    it("can be used with the keyboard and a screen reader, and is as wide as a phone", async () => {
      await open("/", 360);
      await page.waitForSelector(".answer");
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
      const named = await page.evaluate(() => {
        const nameless = (e: Element) =>
          !(e.textContent?.trim() || e.getAttribute("aria-label") || (e as HTMLInputElement).labels?.length);
        const controls = [
          ...document.querySelectorAll(
            "button, input, textarea, select, canvas:not(.plot canvas), [role=img]",
          ),
        ];
        return { controls: controls.length, nameless: controls.filter(nameless).map((e) => e.outerHTML) };
      });
      expect(await page.locator("h1, h2, h3, h4").allTextContents()).toEqual([
        "Sotto",
        "You have",
        "Server 0 sees",
        "Server 1 sees",
      ]);
      expect(await page.locator("h1, h2").count()).toBe(4);
      expect(named.controls).toBeGreaterThan(10);
      expect(named.nameless).toEqual([]);
      const reached = new Set<string>();
      for (let i = 0; i < 12; i++) {
        await page.keyboard.press("Tab");
        reached.add(
          await page.evaluate(() => document.activeElement?.textContent?.trim().slice(0, 30) ?? ""),
        );
      }
      expect([...reached]).toEqual(
        expect.arrayContaining(["Text", "An offer", "Compare with plaintext", "Run the same again"]),
      );
    });

    it("classifies windows of a recording, and says what is wrong with a file that is none", async () => {
      await open("/cluster.json");
      await page.addInitScript(() => {
        const drawn: string[] = [];
        Object.assign(globalThis, { drawn });
        const { fillText } = CanvasRenderingContext2D.prototype;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
          drawn.push(text);
          fillText.call(this, text, x, y);
        };
      });
      await page.goto(`${demo.url}/#packets`);
      await page.getByText("60 packets, 50 of them in one window.").waitFor();
      for (const [sample, label] of [
        ["scan: syn", "scan"],
        ["flood: syn", "flood"],
        ["normal: web", "normal"],
      ] as const) {
        await page.getByLabel("A recording").selectOption(sample);
        await page.waitForFunction(
          (expected) => document.querySelector(".answer strong")?.textContent === expected,
          label,
        );
      }
      const drawn = await page.evaluate(() => (globalThis as unknown as { drawn: string[] }).drawn);
      expect(drawn).toEqual(expect.arrayContaining(["10", "50", "1500 B"]));
      // packets are counted, not measured
      expect(drawn.filter((text) => /^\d+\.\d/.test(text))).toEqual([]);
      const own = page.getByLabel(/your own pcap file/);
      const named = page.locator(".file .name");
      await own.setInputFiles({ name: "own.pcap", mimeType: "", buffer: Buffer.alloc(100) });
      expect(await page.locator(".trouble").textContent()).toMatch(/^own.pcap cannot be read as a capture: /);
      await page.waitForFunction(() => !document.querySelector(".answer"));
      expect(await page.locator(".own").textContent()).toMatch(/^Nothing that could be sent/);
      expect(await roundsSoFar()).toBe("0");
      expect(await named.textContent()).toBe("own.pcap");
      // the same file may be chosen again, when it has been mended
      expect(await own.inputValue()).toBe("");
      const recording = readFileSync("examples/packets/samples/scan-syn.pcap");
      await own.setInputFiles({ name: "own.pcap", mimeType: "", buffer: recording.subarray(0, -1) });
      await page.getByText(/^59 packets, 50 of them .* ends in the middle of a packet/).waitFor();
      await page.waitForSelector(".answer");
      expect(await roundsSoFar()).toBe("253");
      // what is chosen now is what is named
      await page.getByLabel("A recording").selectOption("scan: syn");
      expect(await named.textContent()).toBe("");
      expect(errors).toEqual([]);
    });

    it("plays nothing of a file that is no signal, and goes on with a rhythm", async () => {
      await open("/#heart");
      await page.waitForSelector(".answer");
      const file = { name: "own.csv", mimeType: "", buffer: Buffer.from("no numbers") };
      await page.getByLabel(/your own CSV file/).setInputFiles(file);
      expect(await page.locator(".trouble").textContent()).toMatch(
        /^own.csv cannot be read as a signal: no two/,
      );
      await page.waitForFunction(() => !document.querySelector(".answer"));
      expect(await roundsSoFar()).toBe("0");
      const rhythm = page.getByLabel("Rhythm, generated");
      expect(await rhythm.inputValue()).toBe("own");
      await rhythm.selectOption("tachycardia");
      await page.waitForSelector(".answer");
      expect(await page.locator(".trouble").count()).toBe(0);
      expect(await page.locator(".file .name").textContent()).toBe("");
      await page.getByText(/each beat of this sinus tachycardia is rightly N/).waitFor();
      expect(errors).toEqual([]);
    });

    it("plays a file of one column, and again at the rate that is said then", async () => {
      const generator = new EcgGenerator({ random: seeded(1), rate: RATE });
      const samples = Array.from(generator.next(6 * RATE).samples);
      await open("/#heart");
      const file = { name: "own.csv", mimeType: "", buffer: Buffer.from(samples.join("\n")) };
      await page.getByLabel(/your own CSV file/).setInputFiles(file);
      const rate = page.getByLabel("Sampling rate of the file");
      expect(await rate.inputValue()).toBe("360");
      await page.getByText("750 samples without times: 2.1 s at this rate.").waitFor();
      await press("From the beginning");
      await page.waitForFunction(() => document.activeElement?.textContent === "Pause");
      await rate.focus();
      await rate.press("ControlOrMeta+a");
      await page.keyboard.type(`${RATE}`);
      await page.keyboard.press("Enter");
      await page.getByText("6.0 s at this rate.").waitFor();
      await page.waitForSelector(".answer");
      expect(await answer()).toBe("N");
      await rate.fill("5");
      await rate.press("Enter");
      await page.getByText(/expected 10 to 10,000 samples a second, found 5/).waitFor();
      await page.waitForFunction(() => !document.querySelector(".answer"));
      // the same file, as it was at first
      await page.getByLabel(/your own CSV file/).setInputFiles(file);
      await page.getByText("2.1 s at this rate.").waitFor();
      expect(await rate.inputValue()).toBe("360");
      expect(errors).toEqual([]);
    });

    it("hears a heart beat by beat, and the same again", async () => {
      await open("/#heart");
      const beat = (n: number) =>
        page.waitForFunction(
          (n) => Number(/\d+/.exec(document.querySelector(".answer .soft")?.textContent ?? "")?.[0]) >= n,
          n,
        );
      await beat(3);
      expect(await answer()).toBe("N");
      expect(await page.locator(".replay p").textContent()).toMatch(
        /^Replay, .* of 6,|^Each mark is a round.*; 6 rounds in/,
      );
      const before = await shown();
      await page.getByRole("button", { name: "Run the same again" }).click();
      await page.waitForSelector(".same");
      expect(await page.locator(".same").textContent()).toMatch(
        /The same signal again: the same answer to (\d+) of \1 beats?\./,
      );
      expect((await shown()).filter((text) => before.includes(text))).toEqual([]);
      expect(errors).toEqual([]);
    });

    it("says in plain words that the servers are gone", async () => {
      await open("/");
      await page.waitForSelector(".answer");
      await page.route(/\/v2\//, (route) => route.abort());
      await page.getByRole("button", { name: "Run the same again" }).click();
      await page.waitForSelector(".trouble");
      expect(await page.locator(".trouble").textContent()).toMatch(
        /The servers do not answer. Is the cluster still running/,
      );
    });
  });
});

/** The terminal while `sotto top` has it: a page of its own, which is taken away again however the command ends. */
import type { ReadStream, WriteStream } from "node:tty";
import { atExit } from "../cluster/cleanup.js";

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";
const CTRL_C = "\u0003";

export type Input = Pick<
  ReadStream,
  "isTTY" | "setRawMode" | "on" | "off" | "resume" | "pause" | "setEncoding"
>;
export type Output = Pick<WriteStream, "isTTY" | "write" | "rows">;

export class Screen {
  /** Resolves when q or Ctrl-C is pressed. */
  readonly ended: Promise<void>;
  private readonly input: Input;
  private readonly output: Output;
  private readonly forget: () => void;
  private readonly onKeys: (keys: string) => void;
  private left = false;

  constructor(input: Input, output: Output) {
    this.input = input;
    this.output = output;
    this.forget = atExit(() => this.leave());
    let end = () => {};
    this.ended = new Promise((resolve) => {
      end = resolve;
    });
    this.onKeys = (keys) => {
      if (/q/i.test(keys) || keys.includes(CTRL_C)) end();
    };
    if (input.isTTY) {
      input.setRawMode(true);
      input.setEncoding("utf8");
      input.on("data", this.onKeys);
      input.resume();
    }
    output.write(ENTER);
  }

  /** Replaces what is shown; what does not fit below is cut off. */
  show(text: string): void {
    const lines = text.split("\n").slice(0, Math.max(1, (this.output.rows || 24) - 1));
    this.output.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}\r\n`).join("")}${CLEAR_BELOW}`);
  }

  /** Gives the terminal back as it was. Safe to call twice. */
  leave(): void {
    if (this.left) return;
    this.left = true;
    this.forget();
    if (this.input.isTTY) {
      this.input.off("data", this.onKeys);
      this.input.setRawMode(false);
      this.input.pause();
    }
    this.output.write(LEAVE);
  }
}

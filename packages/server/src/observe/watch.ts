/** One session as its party sees it: where its time goes, for the histograms, and its spans. */
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { SottoError } from "@sotto/core";
import type { Phase, Spent, Tally } from "./tally.js";

const nothing = (): Record<Spent, number> => ({ queue: 0, dealer: 0, peer: 0, compute: 0 });

export interface WatchOptions {
  session: string;
  /** What the span is called. */
  name: string;
  /** Which party this is. */
  party: string;
  phase: Phase;
  /** performance.now() when it began. */
  began?: number;
  /** Of the client's span, where there is one. */
  parent?: Context;
  attributes?: Record<string, string | number>;
}

export class Watch {
  private readonly tally: Tally;
  private readonly began: number;
  private readonly phases: Partial<Record<Phase, Record<Spent, number>>> = {};
  private readonly span: Span;
  private readonly context: Context;
  private part: Span | undefined;
  private spent: Record<Spent, number>;
  private state: Spent = "queue";
  private at: number;
  private over = false;

  constructor(tally: Tally, options: WatchOptions) {
    const now = performance.now();
    this.tally = tally;
    this.began = options.began ?? now;
    this.at = this.began;
    tally.running.queue++;
    const parent = options.parent ?? ROOT_CONTEXT;
    const { session, party, attributes } = options;
    this.span = trace.getTracer("sotto").startSpan(
      options.name,
      {
        kind: SpanKind.SERVER,
        startTime: Date.now() - (now - this.began),
        attributes: { "sotto.session": session, "sotto.party": party, ...attributes },
      },
      parent,
    );
    this.context = trace.setSpan(parent, this.span);
    this.spent = this.phases[options.phase] = nothing();
    this.begin(options.phase);
  }

  /** Time goes by with this from now on. */
  enter(state: Spent): void {
    if (this.over) return;
    this.account(state);
    this.tally.running[state]++;
  }

  /** The next phase begins, with a span of its own. */
  enterPhase(phase: Phase): void {
    if (this.over) return;
    this.enter(this.state);
    this.spent = this.phases[phase] ??= nothing();
    this.begin(phase);
  }

  /** The rounds are over; what follows is the result. */
  result(): void {
    if (!this.over) this.begin("result");
  }

  /** Safe after the end. @param attributes of a session that went well. */
  end(error?: SottoError, attributes: Record<string, string | number> = {}): void {
    if (this.over) return;
    this.account("queue");
    this.over = true;
    this.part?.end();
    this.span.setAttributes(attributes);
    if (error) {
      this.span.setAttribute("error.type", error.code);
      this.span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    } else {
      this.tally.onSession({ total: this.at - this.began, phases: this.phases });
    }
    this.span.end();
  }

  private begin(name: string): void {
    this.part?.end();
    this.part = trace.getTracer("sotto").startSpan(name, {}, this.context);
  }

  private account(next: Spent): void {
    const now = performance.now();
    this.spent[this.state] += now - this.at;
    this.tally.running[this.state]--;
    this.at = now;
    this.state = next;
  }
}

/** Bytes over a link, frames' headers included; what TLS and TCP add is not. */
export class Traffic {
  /** `data` are the words of rounds, stages and set-ups; `control` is everything else. */
  readonly sent = { data: 0, control: 0 };
  readonly received = { data: 0, control: 0 };
}

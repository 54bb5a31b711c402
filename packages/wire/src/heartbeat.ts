/**
 * Notices a link whose other end is gone without a word (a host that lost its power, a firewall that forgot the
 * connection): TCP alone would tell after minutes, or never while nothing is sent.
 */
import { SottoError } from "@sotto/core";
import type { Link } from "./link.js";

const TICKS = 4;
const PROBES = 15;

/**
 * Sends a sign of life every quarter of `silenceMs`, and drops the link when not a byte has come for `silenceMs`.
 * Both ends do so, of their own accord: an answer alone would have to wait behind a long frame on a slow line, of
 * which the bytes that come are a sign of life, too. It ends with the link.
 */
export function heartbeat(link: Link, silenceMs: number): void {
  let heard = link.heard;
  // ticks and not time: after a pause of this process, what has come meanwhile is read before it counts as silence
  let silent = 0;
  const timer = setInterval(() => {
    silent = link.heard === heard ? silent + 1 : 0;
    heard = link.heard;
    if (silent < TICKS) return link.control({ type: "ping" });
    link.drop(
      new SottoError(
        "unreachable",
        `${link.remote} has given no sign of life for ${silenceMs / 1000} s and counts as lost`,
      ),
    );
  }, silenceMs / TICKS);
  // tells at once how long a round trip takes
  link.probe(PROBES);
  link.onClose(() => clearInterval(timer));
}

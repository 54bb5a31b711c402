/** Side by side: what the client has, and what each server sees. */
import type { ComponentChildren } from "preact";
import { Histogram } from "./plots/histogram.js";
import { Picture } from "./plots/noise.js";
import { changed, type Run } from "./run.js";
import { bytes, percent } from "./words.js";

const FIRST = 12;

function hex(data: Uint8Array): string {
  return Array.from(data.subarray(0, FIRST), (b) => b.toString(16).padStart(2, "0")).join(" ");
}

export interface SidesProps {
  run: Run | undefined;
  /** The same input before, to compare with. */
  before: Run | undefined;
  /** What the client has, in its own terms. */
  children: ComponentChildren;
}

export function Sides({ run, before, children }: SidesProps) {
  return (
    <>
      {before && (
        <p class="soft compared">
          Compared with the run before, byte by byte. Of random bytes one in 256 is the same as before by
          chance: 99.6&nbsp;% change.
        </p>
      )}
      <div class="sides">
        <section class="side" aria-labelledby="side-client">
          <h2 id="side-client">You have</h2>
          {children}
          {run && (
            <Bytes
              title="Your input in numbers (both shares added up)"
              data={run.input}
              before={before?.input}
            />
          )}
        </section>
        {([0, 1] as const).map((i) => (
          <section key={i} class="side server" aria-labelledby={`side-${i}`} data-server={i}>
            <h2 id={`side-${i}`}>Server {i} sees</h2>
            {run ? (
              <>
                <Bytes
                  title="Its share of your input"
                  data={run.seen[i].share}
                  before={before?.seen[i].share}
                />
                <Bytes
                  title={`From server ${1 - i}: the first opening`}
                  data={run.seen[i].message}
                  before={before?.seen[i].message}
                />
              </>
            ) : (
              <p class="soft">Nothing has been sent.</p>
            )}
          </section>
        ))}
      </div>
    </>
  );
}

interface BytesProps {
  title: string;
  data: Uint8Array;
  before: Uint8Array | undefined;
}

function Bytes({ title, data, before }: BytesProps) {
  return (
    <figure class="bytes">
      <figcaption>
        {title} <span class="soft">{bytes(data.length)}</span>
      </figcaption>
      <Picture bytes={data} label={`${title}, a picture of ${data.length} bytes`} />
      <Histogram bytes={data} label={`${title}: how often each byte value occurs`} />
      <code class="hex">{hex(data)} …</code>
      {before && <p class="diff">{percent(changed(before, data))} of the bytes changed</p>}
    </figure>
  );
}

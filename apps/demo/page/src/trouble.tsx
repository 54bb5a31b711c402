import { useEffect, useRef } from "preact/hooks";
import { Button } from "./button.js";
import type { Plain } from "./words.js";

/** An error, in plain words first. */
export function Trouble({ error, onAgain }: { error: Plain; onAgain?: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(
    () => () => {
      // what had the focus goes
      if (box.current?.contains(document.activeElement)) document.getElementById("panel")?.focus();
    },
    [],
  );
  return (
    <div ref={box} class="trouble" role="alert">
      <p>{error.text}</p>
      {!error.text.includes(error.detail) && (
        <details>
          <summary>Details</summary>
          <p class="soft">{error.detail}</p>
        </details>
      )}
      {onAgain && <Button onClick={onAgain}>Try again</Button>}
    </div>
  );
}

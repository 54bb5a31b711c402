import type { Plain } from "./words.js";

/** An error, in plain words first. */
export function Trouble({ error, onAgain }: { error: Plain; onAgain?: () => void }) {
  return (
    <div class="trouble" role="alert">
      <p>{error.text}</p>
      {!error.text.includes(error.detail) && (
        <details>
          <summary>Details</summary>
          <p class="soft">{error.detail}</p>
        </details>
      )}
      {onAgain && (
        <button type="button" onClick={onAgain}>
          Try again
        </button>
      )}
    </div>
  );
}

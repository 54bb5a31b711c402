import type { ComponentChildren } from "preact";

export interface ButtonProps {
  children: ComponentChildren;
  onClick: () => void;
  class?: string;
  /** Whether there is nothing to do for it now. */
  idle?: boolean;
  pressed?: boolean | undefined;
}

/** A button that keeps the keyboard's focus while it has nothing to do: a browser takes it from one that is `disabled`. */
export function Button({ children, onClick, class: named, idle = false, pressed }: ButtonProps) {
  return (
    <button
      type="button"
      class={named}
      aria-disabled={idle}
      aria-pressed={pressed}
      onClick={() => idle || onClick()}
    >
      {children}
    </button>
  );
}

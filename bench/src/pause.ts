/** Between runs, so that each is measured by itself: what the one before leaves to clear away is done then. */
const PAUSE_MS = 5;

export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

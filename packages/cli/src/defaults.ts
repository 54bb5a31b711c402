/** Seconds after which a command gives up. */
export const DEFAULT_TIMEOUT = 120;

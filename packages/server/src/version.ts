/** Of this software, as the package states it. */
export const VERSION = "0.1.0";

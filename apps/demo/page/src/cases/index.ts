import type { Case } from "./case.js";
import { text } from "./text.js";

export const cases: readonly Case[] = [text];

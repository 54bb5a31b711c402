import type { Case } from "./case.js";
import { heart } from "./heart.js";
import { packets } from "./packets.js";
import { text } from "./text.js";

export const cases: readonly Case[] = [text, heart, packets];

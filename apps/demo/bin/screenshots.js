#!/usr/bin/env node
import { takeScreenshots } from "../dist/screenshots.js";

await takeScreenshots();
process.exit(0);

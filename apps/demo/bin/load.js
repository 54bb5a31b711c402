#!/usr/bin/env node
import { measureLoads } from "../dist/load.js";

await measureLoads();
process.exit(0);

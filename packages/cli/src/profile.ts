/** The profile of a deployment that states none: the faster one over the line between the servers. */
import {
  type Compiled,
  type CompileOptions,
  compile,
  fasterProfile,
  type ModelDescription,
} from "@sotto/core";
import { chooseSizes, sizesFrom } from "./sizes.js";

/** @param roundTripMs between the servers, if they know it. */
export function compileFor(
  model: ModelDescription,
  options: CompileOptions,
  roundTripMs: number | undefined,
): Compiled {
  const compiled = compile(model, options);
  if (options.profile !== undefined || roundTripMs === undefined) return compiled;
  const sizes = sizesFrom(chooseSizes(compiled, options.sizes ?? {}));
  const profile = fasterProfile(compiled.plan, sizes, roundTripMs);
  return profile === compiled.plan.profile ? compiled : compile(model, { ...options, profile });
}

/** A number of the standard normal distribution (Box and Muller). @param random uniform numbers of [0, 1) */
export function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Numbers as they are shown to a person: with few digits. */

/** Below this, a number is what rounding in float64 left of 0. */
const least = 1e-12;

/** Digits after the point: two, and more where everything is small. */
function decimalsFor(values: readonly number[]): number {
  const largest = Math.max(...values.map(Math.abs));
  return largest < least || largest >= 0.1 ? 2 : Math.min(12, 1 - Math.floor(Math.log10(largest)));
}

/** A sum as it is shown, and each of the ways in which it was taken apart. */
export interface ShownSum {
  readonly total: string;
  readonly parts: readonly (readonly string[])[];
}

/**
 * A sum and its parts with a sign and as many digits. Each is rounded by itself, so that a part is shown alike whatever
 * it stands beside, as an episode's beside those of its turns. The parts as shown may add up to a unit more or less.
 * @param takenApart lists of parts, each of which adds up to the total; the first says how many digits there are
 */
export function shownSum(total: number, takenApart: readonly [readonly number[], ...(readonly number[])[]]): ShownSum {
  const decimals = decimalsFor([total, ...takenApart[0]]);
  const shown = (value: number) => {
    const digits = Math.abs(value).toFixed(decimals);
    return `${value < 0 && Number(digits) !== 0 ? '-' : '+'}${digits}`;
  };
  return { total: shown(total), parts: takenApart.map((parts) => parts.map(shown)) };
}

/** A number by itself: two decimals, more where it is small, none that are zeros at the end. */
export function shownValue(value: number): string {
  const decimals = decimalsFor([value]);
  // Zeros after the point say nothing, and a rounded 0 has no sign.
  return String(Number(value.toFixed(decimals)) + 0);
}

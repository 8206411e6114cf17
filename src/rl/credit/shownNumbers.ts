/** Numbers as they are shown to a person: few digits, and sums that come out right with those digits. */

/** Digits after the point: two, and more where everything is small. */
function decimalsFor(values: readonly number[]): number {
  const largest = Math.max(...values.map(Math.abs));
  return largest === 0 || largest >= 0.1 ? 2 : Math.min(12, 1 - Math.floor(Math.log10(largest)));
}

/** Beyond this, units of the last digit are no whole numbers of float64 any more. */
const largestUnits = 2 ** 52;

/** A sum as it is shown, and each of the ways in which it was taken apart. */
export interface ShownSum {
  readonly total: string;
  readonly parts: readonly (readonly string[])[];
}

/**
 * A sum and its parts with a sign and as many digits, so that the parts as shown add up to the sum as shown. Numbers
 * beyond 1e13 are shown as they are.
 * @param takenApart lists of parts, each of which adds up to the total; the first says how many digits there are
 */
export function shownSum(total: number, takenApart: readonly [readonly number[], ...(readonly number[])[]]): ShownSum {
  const decimals = decimalsFor([total, ...takenApart[0]]);
  const unit = 10 ** decimals;
  if ([total, ...takenApart.flat()].some((value) => !(Math.abs(value * unit) < largestUnits))) {
    const plain = (value: number) => `${value < 0 ? '' : '+'}${value}`;
    return { total: plain(total), parts: takenApart.map((parts) => parts.map(plain)) };
  }
  const shown = (units: number) => `${units < 0 ? '-' : '+'}${(Math.abs(units) / unit).toFixed(decimals)}`;
  const sum = Math.round(total * unit);
  const parts = takenApart.map((values) =>
    shareOut(
      sum,
      values.map((value) => value * unit),
    ).map(shown),
  );
  return { total: shown(sum), parts };
}

/**
 * Whole numbers near some values, with a given sum: each value is rounded down, and what is missing goes to those that
 * lost most (the largest remainder method).
 */
function shareOut(sum: number, values: readonly number[]): number[] {
  const whole = values.map(Math.floor);
  const byRemainder = [...values.keys()].sort((a, b) => values[b]! - whole[b]! - (values[a]! - whole[a]!) || a - b);
  let missing = sum - whole.reduce((all, each) => all + each, 0);
  for (let turn = 0; missing > 0; turn++, missing--) whole[byRemainder[turn % values.length]!]!++;
  // Parts that add up to a little more than the total, by the rounding of float64.
  for (let turn = 0; missing < 0; turn++, missing++) whole[byRemainder.at(-1 - (turn % values.length))!]!--;
  return whole;
}

/** A number by itself: two decimals, more where it is small, none that are zeros at the end. */
export function shownValue(value: number): string {
  const decimals = decimalsFor([value]);
  // Zeros after the point say nothing, and a rounded 0 has no sign.
  return String(Number(value.toFixed(decimals)) + 0);
}

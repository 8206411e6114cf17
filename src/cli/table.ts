/** Plain text tables and numbers for the terminal. */
import { printableLine } from '../base/printable.ts';

/**
 * Columns padded to their widest cell.
 * @param texts columns of text, the first of all, which are left-aligned; the others hold numbers, right-aligned
 */
export function formatTable(rows: readonly (readonly string[])[], texts = 1): string {
  const widths: number[] = [];
  const cells = rows.map((row) => row.map(printableLine));
  for (const row of cells)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return cells
    .map((row) =>
      row
        .map((cell, column) => (column < texts ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A number with its sign. */
export function signed(value: number, digits: number): string {
  return `${value >= 0 ? '+' : ''}${value.toFixed(digits)}`;
}

/** A fraction as a percentage with one decimal. */
export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}

/** Seconds as `42 s`, `3 min 05 s` or `2 h 07 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

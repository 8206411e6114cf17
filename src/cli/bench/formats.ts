/** The forms in which a bench prints its rows. */
import { markdownTable } from '../markdownTable.ts';
import { formatTable } from '../table.ts';
import { spreadOf } from './noise.ts';
import type { BenchOrigin } from './origin.ts';
import { type BenchRow, benchCells, benchHeadings } from './rows.ts';

export const benchForms = ['table', 'markdown', 'csv', 'json', 'jsonl'] as const;
export type BenchForm = (typeof benchForms)[number];

/** Columns of a CSV file. Empty where a row has no such figure. */
const columns: Readonly<Record<string, (row: BenchRow) => string | number | undefined>> = {
  name: ({ name }) => name,
  shape: ({ shape }) => shape,
  variant: ({ variant }) => variant,
  adapter: ({ adapter }) => adapter,
  median_ms: ({ ms }) => ms.median,
  least_ms: ({ ms }) => ms.min,
  most_ms: ({ ms }) => ms.max,
  spread: ({ ms }) => spreadOf(ms) ?? undefined,
  clock: ({ ms }) => ms.clock ?? 'host',
  gflops: ({ gflops }) => gflops,
  gbps: ({ gbps }) => gbps,
  tokens_per_second: ({ tokensPerSecond }) => tokensPerSecond,
  of_ceiling: ({ ofCeiling }) => ofCeiling,
  of_copy: ({ ofCopy }) => ofCopy,
  speedup: ({ speedup }) => speedup,
  noise: ({ noise }) => noise,
  check: ({ check }) => check,
};
const originColumns = ['date', 'proxmo', 'commit', 'driver', 'node'] as const satisfies readonly (keyof BenchOrigin)[];

/** The text that a bench prints, without the last line feed. */
export function formatRows(rows: readonly BenchRow[], origin: BenchOrigin, form: BenchForm): string {
  const whole = rows.map((row) => ({ ...row, ...origin }));
  switch (form) {
    case 'table':
      return `${rows[0]?.adapter ?? ''}\n${formatTable([benchHeadings, ...rows.map(benchCells)], 3)}`;
    case 'markdown':
      return `${sentence(rows[0]?.adapter ?? '', origin)}\n\n${markdownTable(benchHeadings, rows.map(benchCells))}`;
    case 'csv':
      return [
        [...Object.keys(columns), ...originColumns],
        ...rows.map((row) => [
          ...Object.values(columns).map((value) => value(row)),
          ...originColumns.map((name) => origin[name]),
        ]),
      ]
        .map((cells) => cells.map(csvCell).join(','))
        .join('\n');
    case 'json':
      return JSON.stringify(whole, null, 2);
    case 'jsonl':
      return whole.map((row) => JSON.stringify(row)).join('\n');
  }
}

function sentence(adapter: string, { date, proxmo, commit, driver, node }: BenchOrigin): string {
  const version = commit === null ? proxmo : `${proxmo} (${commit})`;
  return `${adapter} (${driver}), proxmo ${version}, Node ${node}, ${date}`;
}

/** RFC 4180. */
function csvCell(value: string | number | null | undefined): string {
  const text = String(value ?? '');
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

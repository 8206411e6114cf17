/** Tables in Markdown. */
import { printableLine } from '../base/printable.ts';

/** @param rows cells as plain text, without formatting that a `|` or a line feed in them could break */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => printableLine(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

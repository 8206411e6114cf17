/** What tests read in Markdown pages. */

/** Cells of the rows of the first table whose header has these cells, without the header. */
export function tableOf(page: string, ...header: readonly string[]): string[][] {
  const lines = page.split('\n');
  const head = lines.findIndex((line) => line.startsWith('|') && header.every((cell) => cells(line).includes(cell)));
  if (head < 0) throw new Error(`there is no table with the columns ${header.join(', ')}`);
  const end = lines.findIndex((line, index) => index > head && !line.startsWith('|'));
  return lines.slice(head + 2, end < 0 ? undefined : end).map(cells);
}

function cells(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim());
}

/** A number as pages write it: with a minus of its own. */
export function numberIn(cell: string): number {
  return Number(cell.replace('−', '-'));
}

/** Digits behind the point: how exactly a page states a number. */
export function digitsIn(cell: string): number {
  return cell.split('.')[1]?.length ?? 0;
}

/** Blocks of code with their language, '' where none is named. */
export function codeBlocks(page: string): { readonly language: string; readonly text: string }[] {
  return [...page.matchAll(/^```(\w*)\n(.*?)^```/gms)].map(([, language, text]) => ({
    language: language!,
    text: text!,
  }));
}

/** Targets of links and pictures, outside of code. */
export function linksIn(page: string): string[] {
  const prose = page.replaceAll(/^```.*?^```/gms, '').replaceAll(/`[^`\n]*`(?!\])/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
}

/** Names by which links lead to headings, as GitHub makes them. */
export function headings(page: string): string[] {
  const prose = page.replaceAll(/^```.*?^```/gms, '');
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

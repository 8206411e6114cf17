/** Small pictures made of characters: a bar of progress, and a line of values. */

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of a width in characters, filled to a share. */
export function bar(share: number, width: number): string {
  const filled = Math.round(8 * width * Math.min(1, Math.max(0, share)));
  const full = '█'.repeat(Math.floor(filled / 8)) + eighths[filled % 8]!;
  return full + '░'.repeat(width - full.length);
}

const levels = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** The last values between 0 and 1, a character each. */
export function sparkline(values: readonly number[], width: number): string {
  return values
    .slice(-width)
    .map((value) => levels[Math.min(7, Math.floor(8 * Math.max(0, value)))]!)
    .join('');
}

/** A part of a line. */
export interface Part {
  readonly text: string;
  readonly colour?: Colour;
  /** Where a line is too long, parts of higher numbers go first. Default 0. */
  readonly rank?: number;
}

export type Colour = keyof typeof codes;
const codes = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2 } as const;

/** A text in a colour, for terminals. It must hold no control characters. */
export function painted(text: string, colour: Colour | undefined): string {
  return colour === undefined || text === '' ? text : `\u001b[${codes[colour]}m${text}\u001b[0m`;
}

/** The parts that fit into a width, the least important left out; what is still too long is cut. */
export function fitting(parts: readonly Part[], width: number, between: string): Part[] {
  const kept = parts.filter(({ text }) => text !== '');
  const length = () => kept.reduce((sum, { text }) => sum + text.length, between.length * (kept.length - 1));
  while (kept.length > 1 && length() > width) {
    const ranks = kept.map(({ rank = 0 }) => rank);
    kept.splice(ranks.lastIndexOf(Math.max(...ranks)), 1);
  }
  return kept.length === 1 ? [{ ...kept[0]!, text: kept[0]!.text.slice(0, width) }] : kept;
}

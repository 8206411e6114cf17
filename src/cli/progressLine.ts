/**
 * One line that shows what goes on. On a terminal it is rewritten in place; elsewhere a line is printed when the phase
 * changes, and every ten seconds within one. A line in parts, which come and go quickly, is printed elsewhere only
 * after a long silence.
 */
import { printable, printableLine } from '../base/printable.ts';
import { type Colour, fitting, type Part, painted } from './bars.ts';
import { type Output, standardError } from './output.ts';

const redrawMs = 100;
const plainMs = 10_000;
const silenceMs = 60_000;
const between = ' | ';
/** Back to the start of the line, and what stands there away. */
const eraseLine = '\r\u001b[2K';

export class ProgressLine {
  private last = performance.now();
  private lastPhase = '';
  private drawn = false;

  constructor(private readonly output: Output = standardError) {}

  /** Shows a state; `phase` names it for output that is not a terminal. */
  show(phase: string, text: string): void {
    const now = performance.now();
    const { columns } = this.output;
    if (now - this.last < (columns === null ? plainMs : redrawMs) && phase === this.lastPhase) return;
    this.last = now;
    this.lastPhase = phase;
    const line = printableLine(text);
    if (columns === null) this.output.print(line);
    else {
      this.output.control(`${eraseLine}${line.slice(0, columns - 1)}`);
      this.drawn = true;
    }
  }

  /** Shows a state in parts, of which a narrow terminal gets the important ones. */
  showParts(parts: readonly Part[]): void {
    const now = performance.now();
    const { columns } = this.output;
    if (now - this.last < (columns === null ? silenceMs : redrawMs)) return;
    this.last = now;
    const plain = parts.map((part) => ({ ...part, text: printableLine(part.text) }));
    if (columns === null)
      this.output.print(
        joined(
          plain.filter(({ text }) => text !== ''),
          false,
        ),
      );
    else {
      this.output.control(`${eraseLine}${joined(fitting(plain, columns - 1, between), this.output.hasColours)}`);
      this.drawn = true;
    }
  }

  /** Prints a line that stays. */
  print(text: string, colour?: Colour): void {
    this.clear();
    if (!this.isLive) this.last = performance.now();
    if (colour === undefined || !this.output.hasColours) this.output.print(text);
    else this.output.control(`${painted(printable(text), colour)}\n`);
  }

  /** Whether the line is redrawn in place. */
  get isLive(): boolean {
    return this.output.columns !== null;
  }

  /** Takes the line away. */
  clear(): void {
    if (this.drawn) this.output.control(eraseLine);
    this.drawn = false;
  }
}

function joined(parts: readonly Part[], inColour: boolean): string {
  return parts.map(({ text, colour }) => painted(text, inColour ? colour : undefined)).join(between);
}

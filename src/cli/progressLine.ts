/**
 * One line that shows what goes on. On a terminal it is rewritten in place; elsewhere a line is printed when the phase
 * changes, and every ten seconds within one.
 */
import { printableLine } from '../base/printable.ts';
import { type Output, standardError } from './output.ts';

const redrawMs = 100;
const plainMs = 10_000;
/** Back to the start of the line, and what stands there away. */
const eraseLine = '\r\u001b[2K';

export class ProgressLine {
  private last = 0;
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

  /** Prints a line that stays. */
  print(text: string): void {
    this.clear();
    this.output.print(text);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.drawn) this.output.control(eraseLine);
    this.drawn = false;
  }
}

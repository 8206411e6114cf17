/**
 * One line that shows what goes on. On a terminal it is rewritten in place; elsewhere a line is printed when the phase
 * changes, and every ten seconds within one.
 */

const redrawMs = 100;
const plainMs = 10_000;

export class ProgressLine {
  private last = 0;
  private lastPhase = '';
  private drawn = false;

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  /** Shows a state; `phase` names it for output that is not a terminal. */
  show(phase: string, text: string): void {
    const now = performance.now();
    if (now - this.last < (this.stream.isTTY ? redrawMs : plainMs) && phase === this.lastPhase) return;
    this.last = now;
    this.lastPhase = phase;
    if (this.stream.isTTY) {
      this.stream.write(`\r\u001b[2K${text.slice(0, (this.stream.columns || 80) - 1)}`);
      this.drawn = true;
    } else {
      this.stream.write(`${text}\n`);
    }
  }

  /** Prints a line that stays. */
  print(text: string): void {
    this.clear();
    this.stream.write(`${text}\n`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.drawn) this.stream.write('\r\u001b[2K');
    this.drawn = false;
  }
}

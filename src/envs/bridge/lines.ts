/** Text that arrives in pieces, as whole lines. */

/**
 * Calls back with each line of a stream, without its end. A line longer than the limit is reported once, and nothing
 * after it is read.
 */
export class LineReader {
  private rest: string[] = [];
  private length = 0;
  private overlong = false;

  constructor(
    private readonly longest: number,
    private readonly onLine: (line: string) => void,
    private readonly onOverlong: () => void,
  ) {}

  push(piece: string): void {
    if (this.overlong) return;
    const lines = piece.split('\n');
    const last = lines.pop()!;
    for (const line of lines) {
      if (!this.keep(line)) return;
      const whole = this.rest.join('');
      this.rest = [];
      this.length = 0;
      this.onLine(whole.endsWith('\r') ? whole.slice(0, -1) : whole);
    }
    if (last !== '') this.keep(last);
  }

  private keep(part: string): boolean {
    this.length += part.length;
    this.overlong = this.length > this.longest;
    if (this.overlong) {
      this.rest = [];
      this.onOverlong();
      return false;
    }
    this.rest.push(part);
    return true;
  }
}

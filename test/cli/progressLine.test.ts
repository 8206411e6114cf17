/** The line that shows what goes on: in place on terminals, wide and narrow, and rarely elsewhere. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bar, fitting, type Part, sparkline } from '../../src/cli/bars.ts';
import { Output } from '../../src/cli/output.ts';
import { ProgressLine } from '../../src/cli/progressLine.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A stream that is a terminal of some columns, or none. */
function streamOf(columns: number | null, colours = true) {
  const written: string[] = [];
  const stream = { isTTY: columns !== null, columns, hasColors: () => colours, on: () => undefined, fd: 2 };
  const write = (_: number, bytes: Uint8Array) => {
    written.push(Buffer.from(bytes).toString());
    return bytes.length;
  };
  return { written, line: new ProgressLine(new Output(stream as never, write as never)) };
}

const parts: readonly Part[] = [
  { text: '██░░ 50 %', colour: 'cyan' },
  { text: '3 min left', rank: 1 },
  { text: 'update 25 %', rank: 2 },
  { text: '', rank: 3 },
  { text: 'no difference in 2 of 16 groups', rank: 4 },
];

describe('a line in parts', () => {
  it('is drawn over itself on a terminal, in colours', () => {
    const { written, line } = streamOf(200);
    vi.advanceTimersByTime(200);
    line.showParts(parts);
    expect(written).toEqual([
      '\r\u001b[2K\u001b[36m██░░ 50 %\u001b[0m | 3 min left | update 25 % | no difference in 2 of 16 groups',
    ]);
    line.showParts(parts);
    expect(written.length).toBe(1);
  });

  it.each([
    [60, '██░░ 50 % | 3 min left | update 25 %'],
    [30, '██░░ 50 % | 3 min left'],
    [12, '██░░ 50 %'],
    [6, '██░░ '],
  ])('keeps to %i columns, and leaves out what matters least', (columns, expected) => {
    const { written, line } = streamOf(columns, false);
    vi.advanceTimersByTime(200);
    line.showParts(parts);
    expect(written).toEqual([`\r\u001b[2K${expected}`]);
  });

  it('is printed elsewhere only after a minute in which nothing was, without colours', () => {
    const { written, line } = streamOf(null);
    for (let second = 0; second < 100; second++) {
      vi.advanceTimersByTime(1000);
      if (second === 29) line.print('an iteration', 'green');
      line.showParts(parts);
    }
    expect(written).toEqual([
      'an iteration\n',
      '██░░ 50 % | 3 min left | update 25 % | no difference in 2 of 16 groups\n',
    ]);
  });

  it('spells out control characters of what it is given, printed or drawn', () => {
    const { written, line } = streamOf(80);
    vi.advanceTimersByTime(200);
    line.showParts([{ text: 'a\u001b[2Jb\nc' }]);
    line.print('d\u001b[2Je', 'yellow');
    expect(written).toEqual(['\r\u001b[2Ka\\u001b[2Jb\\nc', '\r\u001b[2K', '\u001b[33md\\u001b[2Je\u001b[0m\n']);
  });
});

it('bars and lines of values are as wide as they should be', () => {
  expect([0, 0.06, 0.5, 0.99, 1, 7, -1].map((share) => bar(share, 4))).toEqual([
    '░░░░',
    '▎░░░',
    '██░░',
    '████',
    '████',
    '████',
    '░░░░',
  ]);
  expect(sparkline([0, 0.5, 1], 8)).toBe('▁▅█');
  expect(sparkline([0, 0.2, 0.4, 0.6], 2)).toBe('▄▅');
  expect(fitting([], 10, ' | ')).toEqual([]);
});

import { describe, expect, it } from 'vitest';
import { gradientOf, gradientProblem, gradientWork, microBatchOf, toldGradient } from '../../src/fleet/gradients.ts';
import { ppoStatistics } from '../../src/ops/ppoLoss.ts';
import type { MicroBatch } from '../../src/rl/optimise.ts';
import { TokenTrie } from '../../src/text/tokenTrie.ts';

const trie = TokenTrie.fromSequences([
  [7, 1],
  [5, 6, 1],
  [5, 2],
]);
const batch: MicroBatch = {
  scale: 4,
  dropoutSeed: [123, 4],
  sequences: [
    {
      tokens: [9, 5, 6, 1, 8, 7, 1],
      replies: [
        { start: 1, length: 3, bound: { trie, from: 0 } },
        { start: 5, length: 2, bound: { trie, from: 0 } },
      ],
      columns: { weight: [0.1, 0.2, 0.3, 0.4, 0.5].map(Math.fround), advantage: [1, 1, 1, -2, -2] },
    },
    { tokens: [3, 4], replies: [{ start: 1, length: 1 }], columns: { weight: [1], advantage: [0] } },
  ],
};

describe('a micro-batch', () => {
  it('comes out of a message as it went in, with its trees', () => {
    const again = microBatchOf(JSON.parse(JSON.stringify(gradientWork(batch))));
    const plain = ({ sequences, ...rest }: MicroBatch) => ({
      ...rest,
      sequences: sequences.map(({ tokens, replies, columns }) => ({
        tokens: Array.from(tokens),
        replies: replies.map(({ bound, ...reply }) => ({ ...reply, edges: bound && [...bound.trie.edgeToken] })),
        columns: Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, Array.from(values!)])),
      })),
    });
    expect(plain(again)).toEqual(plain(batch));
    // One tree for both replies, as before: programs are compiled for how many there are.
    const [first, second] = again.sequences[0]!.replies;
    expect(first!.bound!.trie).toBe(second!.bound!.trie);
  });

  it('that does not hold together is refused', () => {
    const work = gradientWork(batch);
    const [first, second] = work.sequences;
    const wrong = [
      { ...work, trees: [] },
      { ...work, sequences: [first!, { ...second!, tokens: [3] }] },
      { ...work, sequences: [first!, { ...second!, columns: {} }] },
      { ...work, sequences: [{ ...first!, columns: second!.columns }] },
    ];
    for (const each of wrong)
      expect(() => microBatchOf(each)).toThrow(/does not hold together|no weights|numbers where/);
  });
});

describe('a gradient', () => {
  const own = { gradient: Float32Array.of(3, -4, 0), statistics: ppoStatistics.map((_, index) => index) };

  it('keeps its bits in a message', () => {
    expect(gradientOf(toldGradient(own), 3)).toEqual({ ...own, statistics: Float32Array.from(own.statistics) });
    expect(() => gradientOf(toldGradient(own), 4)).toThrow('3 numbers where 4 belong');
  });

  it('that is another than the policy gives is found out', () => {
    const given = (...gradient: number[]) => ({ ...own, gradient: Float32Array.from(gradient) });
    expect(gradientProblem(given(3.01, -4, 0), own, 'f32')).toBeNull();
    expect(gradientProblem(given(-3, 4, 0), own, 'f32')).toContain('differs by 2.00 of its norm');
    expect(gradientProblem(given(Number.NaN, 4, 0), own, 'f32')).toContain('differs by NaN');
    expect(gradientProblem(given(3.1, -4, 0), own, 'f32')).toContain('differs by 0.02');
    expect(gradientProblem(given(3.1, -4, 0), own, 'f16')).toBeNull();
    expect(gradientProblem(given(0, 0, 0), given(0, 0, 0), 'f32')).toBeNull();
  });
});

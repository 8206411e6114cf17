/** Rollout rows: what is accepted, and one sentence for each thing that is not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProxmoError } from '../../src/base/errors.ts';
import { indexRollout, parseRollout, type RolloutRow } from '../../src/rl/rows.ts';

const row = (changes: Partial<Record<keyof RolloutRow, unknown>> = {}): RolloutRow =>
  ({
    group: 'g',
    trajectory: 'a',
    step: 0,
    reward: 0,
    success: false,
    valid: true,
    observation: 'You see a mug.',
    ...changes,
  }) as RolloutRow;

describe('indexRollout', () => {
  it('finds trajectories and groups in the order of their first rows, and orders steps', () => {
    const batch = indexRollout([
      row({ group: 'h', trajectory: 'b', step: 1 }),
      row({ trajectory: 'a', success: true }),
      row({ group: 'h', trajectory: 'b', step: 0 }),
      row({ group: 'h', trajectory: 'c', step: 4 }),
    ]);
    expect(batch.groups).toEqual([
      { id: 'h', rows: [0, 2, 3], trajectories: [0, 2] },
      { id: 'g', rows: [1], trajectories: [1] },
    ]);
    expect(batch.trajectories).toEqual([
      { id: 'b', group: 0, rows: [2, 0], success: false },
      { id: 'a', group: 1, rows: [1], success: true },
      { id: 'c', group: 0, rows: [3], success: false },
    ]);
    expect([...batch.trajectoryOf]).toEqual([0, 1, 0, 2]);
  });

  it.each<[string, readonly RolloutRow[], string]>([
    ['no rows', [], 'The rollout has no rows; give at least one environment step.'],
    ['no object', [row(), null as unknown as RolloutRow], "The rollout's row 1 is null; each row must be an object."],
    ['a number as group', [row({ group: 3 })], `The rollout's row 0 has 3 as "group"; it must be a string.`],
    [
      'no trajectory',
      [row({ trajectory: undefined })],
      `The rollout's row 0 has nothing as "trajectory"; it must be a string.`,
    ],
    [
      'a negative step',
      [row({ step: -1 })],
      `The rollout's row 0 has -1 as "step"; it must be an integer of 0 or more.`,
    ],
    [
      'a fractional step',
      [row({ step: 0.5 })],
      `The rollout's row 0 has 0.5 as "step"; it must be an integer of 0 or more.`,
    ],
    [
      'a NaN reward',
      [row(), row({ step: 1, reward: Number.NaN })],
      `The rollout's row 1 has NaN as "reward"; it must be a number from -1e+30 to 1e+30.`,
    ],
    [
      'an infinite reward',
      [row({ reward: -Infinity })],
      `The rollout's row 0 has -Infinity as "reward"; it must be a number from -1e+30 to 1e+30.`,
    ],
    [
      'a reward that float32 cannot hold',
      [row({ reward: 1e39 })],
      `The rollout's row 0 has 1e+39 as "reward"; it must be a number from -1e+30 to 1e+30.`,
    ],
    [
      'text as reward',
      [row({ reward: '1' })],
      `The rollout's row 0 has the string "1" as "reward"; it must be a number from -1e+30 to 1e+30.`,
    ],
    ['a number as success', [row({ success: 1 })], `The rollout's row 0 has 1 as "success"; it must be true or false.`],
    ['null as valid', [row({ valid: null })], `The rollout's row 0 has null as "valid"; it must be true or false.`],
    [
      'an array as observation',
      [row({ observation: [] })],
      `The rollout's row 0 has an array as "observation"; it must be a string.`,
    ],
    [
      'a gap in the steps',
      [row(), row({ step: 2 })],
      `The rollout's row 1 has step 2 in trajectory "a" where step 1 belongs; give every step of an episode exactly once.`,
    ],
    [
      'a step given twice',
      [row(), row({ step: 1 }), row({ step: 1 })],
      `The rollout's row 2 has step 1 in trajectory "a" where step 2 belongs; give every step of an episode exactly once.`,
    ],
    [
      'an outcome that differs',
      [row(), row({ step: 1, success: true })],
      `The rollout's row 1 puts trajectory "a" down as success true, but row 0 says false; all rows of an episode carry its outcome.`,
    ],
    [
      'a trajectory in two groups',
      [row(), row({ group: 'h', step: 1 })],
      `The rollout's row 1 puts trajectory "a" in group "h", but its earlier rows are in group "g"; give each episode a name of its own.`,
    ],
  ])('refuses %s', (_, rows, message) => {
    expect(() => indexRollout(rows)).toThrow(new ProxmoError('data', message));
  });
});

describe('parseRollout', () => {
  const lines = (...rows: readonly RolloutRow[]) => rows.map((each) => JSON.stringify(each)).join('\n');

  it('reads what JSON.stringify writes, whatever the values', () => {
    const step = fc.record({
      reward: fc.double({ noNaN: true, min: -1e30, max: 1e30 }),
      valid: fc.boolean(),
      observation: fc.string({ unit: 'binary' }),
    });
    const trajectory = fc.record({
      success: fc.boolean(),
      group: fc.string(),
      steps: fc.array(step, { minLength: 1, maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(trajectory, { minLength: 1, maxLength: 4 }), (trajectories) => {
        const rows = trajectories.flatMap(({ success, group, steps }, id) =>
          steps.map((each, index) => ({
            ...each,
            reward: each.reward + 0,
            success,
            group,
            trajectory: String(id),
            step: index,
          })),
        );
        expect(parseRollout(`${lines(...rows)}\n`).rows).toEqual(rows);
      }),
    );
  });

  it('skips blank lines, a byte order mark and carriage returns, and ignores other fields', () => {
    const text = `\uFEFF${JSON.stringify({ ...row(), policy: 'p' })}\r\n\r\n${JSON.stringify(row({ step: 1 }))}\r\n`;
    expect(parseRollout(text).rows).toHaveLength(2);
  });

  it('names lines, blank ones counted', () => {
    expect(() => parseRollout(`\n${lines(row())}\n\n${lines(row({ step: 3 }))}`)).toThrow(
      "The rollout's line 4 has step 3",
    );
    expect(() => parseRollout(`${lines(row())}\n{"group": "g", "reward": NaN}`)).toThrow(
      "The rollout's line 2 is not valid JSON",
    );
    expect(() => parseRollout(`${lines(row())}\n\n${lines(row({ step: 3 }))}`, 'rows.jsonl')).toThrow(
      'rows.jsonl line 3 has step 3',
    );
    expect(() => parseRollout('{', 'rows.jsonl')).toThrow('rows.jsonl line 1 is not valid JSON');
    expect(() => parseRollout('', 'rows.jsonl')).toThrow('rows.jsonl has no rows');
    // JSON has larger numbers than float64.
    expect(() => parseRollout(lines(row()).replace('"reward":0', '"reward":1e999'), 'rows.jsonl')).toThrow(
      'rows.jsonl line 1 has Infinity as "reward"',
    );
    expect(() => parseRollout('[1, 2]')).toThrow("The rollout's line 1 is an array; each row must be an object.");
  });

  it('throws nothing but data errors, whatever the text', () => {
    const fragment = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.constantFrom(
        '\n',
        '{',
        '}',
        lines(row()),
        lines(row({ step: 1 })),
        lines(row({ reward: null })),
        lines(row({ group: 'h' })),
      ),
    );
    fc.assert(
      fc.property(fc.array(fragment), fc.constantFrom('', '\n'), (fragments, separator) => {
        try {
          expect(parseRollout(fragments.join(separator)).rows.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(ProxmoError);
          expect(error).toMatchObject({ code: 'data', message: expect.stringMatching(/^[^\n]+\.$/) });
        }
      }),
      { numRuns: 300 },
    );
  });
});

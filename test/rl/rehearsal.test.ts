/** Failed episodes that the expert is to take over. */
import { expect, it } from 'vitest';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { drawFailures } from '../../src/rl/rehearsal.ts';
import type { Episode } from '../../src/rl/rollout.ts';

const episode = (id: string, success: boolean, length: number) =>
  ({
    task: { id, type: 'door' },
    success,
    steps: Array.from({ length }, (_, index) => ({ action: `${id} ${index}` })),
  }) as unknown as Episode;

const config = (corrections: number) =>
  trainConfigSchema.parse({ seed: 3, training: { corrections }, loss: { imitationCoefficient: 1 } });

it('are as many as were asked for, or all there are', () => {
  const episodes = [episode('won', true, 4), ...['a', 'b', 'c'].map((id) => episode(id, false, 8))];
  const idsOf = (count: number) => drawFailures(episodes, 8, config(count), '0').map(({ task }) => task.id);
  expect(idsOf(9).sort()).toEqual(['a', 'b', 'c']);
  expect(idsOf(2)).toHaveLength(2);
  expect(idsOf(2)).not.toContain('won');
  expect(idsOf(2)).toEqual(idsOf(2));
});

it('begin with what the policy did, and leave half of the steps', () => {
  const lengths = Array.from({ length: 200 }, (_, draw) => {
    const [failure] = drawFailures([episode('a', false, 8)], 8, config(1), `${draw}`);
    expect(failure!.actions).toEqual(['a 0', 'a 1', 'a 2', 'a 3'].slice(0, failure!.actions.length));
    return failure!.actions.length;
  });
  expect([...new Set(lengths)].sort()).toEqual([1, 2, 3, 4]);
});

it('are taken over before their last turn', () => {
  const drawn = Array.from({ length: 50 }, (_, draw) =>
    drawFailures([episode('a', false, 3)], 50, config(1), `${draw}`),
  );
  expect(new Set(drawn.map(([failure]) => failure!.actions.join()))).toEqual(new Set(['a 0', 'a 0,a 1']));
  expect(drawFailures([episode('a', false, 1)], 50, config(1), '0')).toEqual([]);
});

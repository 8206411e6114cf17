/** The hand-written ALFWorld player on small games of our own. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlfworldExpert } from '../../../src/envs/alfworld/expert.ts';
import {
  type AlfworldTask,
  type AlfworldTaskSet,
  createAlfworldTaskSet,
} from '../../../src/envs/alfworld/index.node.ts';
import type { Split, Turn } from '../../../src/envs/environment.ts';
import { layoutFolder } from './tinyGames.ts';

const turn = (observation: string, admissibleActions: readonly string[] | null): Turn => {
  return { observation, admissibleActions, reward: 0, done: false, success: false };
};

/** Plays a task; `stray` may name another action than the player's. Answers the actions taken, and whether they won. */
function play(
  set: AlfworldTaskSet,
  task: AlfworldTask,
  stray: (turn: Turn, step: number) => string | null = () => null,
): [string[], boolean] {
  const environment = set.createEnvironment();
  const expert = set.createExpert();
  const first = environment.reset(task);
  expert.reset(first.instruction);
  const actions: string[] = [];
  let now: Turn = first;
  while (!now.done) {
    const advice = expert.act(now, actions.at(-1) ?? null);
    actions.push(stray(now, actions.length) ?? advice);
    now = environment.step(actions.at(-1)!);
  }
  return [actions, now.success];
}

describe('the expert', () => {
  it.each<[Split, number, readonly string[]]>([
    [
      'train',
      0,
      ['go to desk 1', 'take mug 1 from desk 1', 'go to cabinet 1', 'open cabinet 1', 'move mug 1 to cabinet 1'],
    ],
    [
      'train',
      1,
      [
        ...['go to desk 1', 'take mug 1 from desk 1', 'go to microwave 1', 'heat mug 1 with microwave 1'],
        ...['go to cabinet 1', 'open cabinet 1', 'move mug 1 to cabinet 1'],
      ],
    ],
    [
      'seen',
      0,
      [
        ...['go to desk 1', 'take mug 1 from desk 1', 'go to cabinet 1', 'open cabinet 1', 'move mug 1 to cabinet 1'],
        // The cabinet next to it costs one step, as much as any place without a door.
        'open cabinet 2',
        ...[
          'go to microwave 1',
          'open microwave 1',
          'take mug 2 from microwave 1',
          'go to cabinet 1',
          'move mug 2 to cabinet 1',
        ],
      ],
    ],
    ['unseen', 0, ['go to desk 1', 'take mug 1 from desk 1', 'use desklamp 1']],
  ])('wins game %s %i', async (split, index, actions) => {
    const set = await createAlfworldTaskSet({ data: layoutFolder() });
    expect(play(set, set.allTasks(split)[index]!)).toEqual([actions, true]);
  });

  it('finds its way back from wherever other actions led', async () => {
    const set = await createAlfworldTaskSet({ data: layoutFolder() });
    const tasks = (['train', 'seen', 'unseen'] as const).flatMap((split) => set.allTasks(split));
    fc.assert(
      fc.property(fc.constantFrom(...tasks), fc.array(fc.option(fc.nat(50)), { maxLength: 25 }), (task, choices) => {
        const [actions, won] = play(set, task, ({ admissibleActions }, step) => {
          const choice = choices[step] ?? null;
          return choice === null ? null : admissibleActions![choice % admissibleActions!.length]!;
        });
        expect(won, actions.join(', ')).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('speaks the wording of old games', () => {
    const expert = new AlfworldExpert();
    expert.reset('put some mug on shelf.');
    expect(expert.act(turn('', ['go to shelf 1', 'go to desk 1']))).toBe('go to shelf 1');
    expect(expert.act(turn('', ['examine shelf 1', 'go to desk 1']))).toBe('go to desk 1');
    expect(expert.act(turn('', ['examine desk 1', 'go to shelf 1', 'take mug 1 from desk 1']))).toBe(
      'take mug 1 from desk 1',
    );
    expect(expert.act(turn('', ['examine desk 1', 'examine mug 1', 'go to shelf 1']))).toBe('go to shelf 1');
    expect(expert.act(turn('', ['examine mug 1', 'examine shelf 1', 'put mug 1 in/on shelf 1']))).toBe(
      'put mug 1 in/on shelf 1',
    );
  });

  it('looks for food where food is', () => {
    const expert = new AlfworldExpert();
    expert.reset('put a hot egg in garbagecan.');
    const commands = ['go to cabinet 1', 'go to drawer 1', 'go to fridge 1', 'go to shelf 1'];
    expect(expert.act(turn('', commands))).toBe('go to fridge 1');
  });

  it.each([
    'put a mug in desk.',
    'put some mug on desk.',
    'put a clean mug in desk.',
    'clean some mug and put it in desk.',
    'put a hot mug in desk.',
    'heat some mug and put it in desk.',
    'put a cool mug in desk.',
    'cool some mug and put it in desk.',
    'put two mug in desk.',
    'find two mug and put them in desk.',
    'look at mug under the desklamp.',
    'examine the mug with the desklamp.',
  ])('understands "%s"', (instruction) => {
    const expert = new AlfworldExpert();
    expert.reset(instruction);
    expect(expert.act(turn('', ['go to desk 1']))).toBe('go to desk 1');
  });

  it('says so where it does not understand, or is shown no commands', () => {
    const expert = new AlfworldExpert();
    expect(() => expert.reset('tidy up.')).toThrow('does not understand the instruction "tidy up."');
    expert.reset('put a mug in desk.');
    expect(() => expert.act(turn('', null))).toThrow('needs the list of admissible actions');
  });
});

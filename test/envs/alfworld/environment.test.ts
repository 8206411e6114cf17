/** Episodes of ALFWorld on small games of our own: turns, reward, the step limit. */
import { describe, expect, it } from 'vitest';
import type { AlfworldEnvironment, AlfworldTask } from '../../../src/envs/alfworld/index.node.ts';
import { type AlfworldOptions, createAlfworldTaskSet } from '../../../src/envs/alfworld/index.node.ts';
import type { Split } from '../../../src/envs/environment.ts';
import { layoutFolder } from './tinyGames.ts';

async function open(split: Split, options: AlfworldOptions = {}): Promise<[AlfworldEnvironment, AlfworldTask]> {
  const set = await createAlfworldTaskSet({ data: layoutFolder(), ...options });
  return [set.createEnvironment(), set.allTasks(split)[0]!];
}

describe('an episode', () => {
  it('opens with the whole intro; the instruction is what follows "Your task is to: "', async () => {
    const [environment, task] = await open('train');
    expect(environment.reset(task)).toEqual({
      observation:
        '-= Welcome home =-\n\nYou see a cabinet 2, a cabinet 1, a desk 1, and a microwave 1.\n\nYour task is to: put a mug in cabinet.',
      admissibleActions: ['go to cabinet 1', 'go to cabinet 2', 'go to desk 1', 'go to microwave 1', 'help'],
      instruction: 'put a mug in cabinet.',
      reward: 0,
      done: false,
      success: false,
    });
  });

  it('pays on the step that wins, and then says the same again', async () => {
    const [environment, task] = await open('train', { winReward: 7 });
    environment.reset(task);
    for (const action of ['go to desk 1', 'take mug 1 from desk 1', 'go to cabinet 1', 'open cabinet 2']) {
      expect(environment.step(action)).toMatchObject({ reward: 0, done: false, success: false });
    }
    const won = environment.step('move mug 1 to cabinet 2');
    expect(won).toMatchObject({
      observation: 'You move the mug 1 to the cabinet 2.',
      reward: 7,
      done: true,
      success: true,
    });
    expect(environment.step('open cabinet 1')).toBe(won);
  });

  it('ends at the step limit; steps that do nothing count too', async () => {
    const [environment, task] = await open('train', { maxSteps: 3 });
    environment.reset(task);
    expect(environment.step('fly').observation).toBe('Nothing happens.');
    expect(environment.step('Go to desk 1')).toMatchObject({ observation: 'Nothing happens.', done: false });
    const last = environment.step(' go to desk 1\n');
    expect(last).toMatchObject({
      observation: 'You arrive at desk 1. On the desk 1, you see a desklamp 1, and a mug 1.',
      done: true,
    });
    expect(last).toMatchObject({ success: false, reward: 0 });
    expect(environment.step('take mug 1 from desk 1')).toBe(last);
    expect(environment.reset(task).done).toBe(false);
  });

  it('is 50 steps long at most unless the options say otherwise', async () => {
    const [environment, task] = await open('train');
    environment.reset(task);
    const turns = Array.from({ length: 50 }, () => environment.step('help'));
    expect(turns.map(({ done }) => done)).toEqual([...Array.from({ length: 49 }, () => false), true]);
    // The first line break of the text is lost, the last is not.
    expect(turns[0]!.observation).toBe('No help today.\n');
  });

  it('must be begun', async () => {
    const [environment] = await open('train');
    expect(() => environment.step('help')).toThrow('call reset first');
  });
});

/** Task sets in a few lines: what comes by itself, and what is refused. */
import { describe, expect, it } from 'vitest';
import { checkTaskSet } from '../../src/envs/check.ts';
import { defineTaskSet, type TaskSetDefinition } from '../../src/envs/define.ts';
import type { Task } from '../../src/envs/environment.ts';
import { splitTasks } from '../../src/envs/taskLists.ts';

interface Door extends Task {
  readonly colour: string;
}

const colours = ['red', 'green', 'blue'];
const doors: TaskSetDefinition<Door> = {
  name: 'doors',
  maxSteps: 3,
  tasks: Array.from({ length: 30 }, (_, i) => ({
    id: `door-${i}`,
    type: i % 2 ? 'odd' : 'even',
    colour: colours[i % 3]!,
  })),
  instruction: ({ colour }) => `open the ${colour} door.`,
  *play({ colour }) {
    let observation = 'you see three doors.';
    while (true) {
      const action = yield { observation, actions: colours.map((each) => `open ${each}`) };
      if (action === `open ${colour}`) return { observation: 'it opens.', success: true };
      observation = 'it is locked.';
    }
  },
};

describe('a definition', () => {
  it('is a whole task set', async () => {
    const set = defineTaskSet(doors);
    expect(set).toMatchObject({ name: 'doors', types: ['even', 'odd'], maxSteps: 3 });
    expect(set.allTasks!('train')).toHaveLength(24);
    expect(set.allTasks!('unseen')).toHaveLength(6);
    expect(set.words!()).toEqual('blue door doors green is it locked open opens red see the three you'.split(' '));
    expect((await checkTaskSet(set)).findings.filter(({ holds }) => !holds)).toEqual([]);
  });

  it('plays like this', () => {
    const environment = defineTaskSet(doors).createEnvironment();
    expect(environment.reset({ id: 'x', type: 'odd', colour: 'red' })).toEqual({
      instruction: 'open the red door.',
      observation: 'you see three doors.',
      admissibleActions: ['open red', 'open green', 'open blue'],
      reward: 0,
      done: false,
      success: false,
    });
    expect(environment.step('open blue')).toMatchObject({ observation: 'it is locked.', reward: 0, done: false });
    expect(environment.step('open red')).toEqual({
      observation: 'it opens.',
      admissibleActions: [],
      reward: 10,
      done: true,
      success: true,
    });
    expect(environment.step('open red')).toMatchObject({ observation: 'it opens.', done: true });
  });

  it('ends at its last step without success', () => {
    const environment = defineTaskSet(doors).createEnvironment();
    environment.reset({ id: 'x', type: 'odd', colour: 'red' });
    environment.step('fly');
    environment.step('fly');
    expect(environment.step('fly')).toMatchObject({
      observation: 'it is locked.',
      done: true,
      success: false,
      reward: 0,
    });
  });

  it('may be asynchronous, and then lists its words itself', async () => {
    const set = defineTaskSet({
      ...doors,
      words: ['open'],
      async *play() {
        const action = yield { observation: 'a door.', reward: 0 };
        return { observation: 'an end.', success: action === 'open', reward: 3, score: 0.5, components: { part: 0.5 } };
      },
    });
    const environment = set.createEnvironment();
    expect(await environment.reset(set.allTasks!('train')[0]!)).toMatchObject({
      observation: 'a door.',
      admissibleActions: null,
    });
    expect(await environment.step('open')).toMatchObject({
      done: true,
      success: true,
      reward: 3,
      score: 0.5,
      components: { part: 0.5 },
    });
    await environment.close?.();
    expect(set.words!()).toEqual(['open']);
  });

  it('runs the end of an episode that is given up', async () => {
    let ended = 0;
    const set = defineTaskSet({
      ...doors,
      *play() {
        try {
          yield { observation: 'a door.' };
          return { observation: 'an end.', success: false };
        } finally {
          ended++;
        }
      },
    });
    const environment = set.createEnvironment();
    environment.reset(set.allTasks!('train')[0]!);
    environment.reset(set.allTasks!('train')[1]!);
    expect(ended).toBe(1);
    await environment.close?.();
    expect(ended).toBe(2);
  });

  it.each([
    ['a type that is not listed', { types: ['even'] }, /the type of task door-\d+ is "odd", not one of even/],
    ['two tasks of one id', { tasks: [doors, doors].flatMap(({ tasks }) => tasks as Door[]) }, /have the id door-/],
    ['no task', { tasks: [] }, /no task to train on/],
  ])('is refused with %s', (_, change, message) => {
    expect(() => defineTaskSet({ ...doors, ...change })).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringMatching(message) }),
    );
  });
});

describe('splits', () => {
  const list = (count: number) => Array.from({ length: count }, (_, i) => ({ id: `t${i}`, type: `type ${i % 4}` }));

  it('hold out a share of every type, and nothing twice', () => {
    const { train, seen, unseen } = splitTasks(list(200), 0.24);
    expect(unseen).toHaveLength(48);
    expect(seen).toEqual(unseen);
    expect(new Set([...train, ...unseen].map(({ id }) => id)).size).toBe(200);
    for (const type of ['type 0', 'type 3'])
      expect(unseen.filter((task) => task.type === type).length).toBeGreaterThan(8);
  });

  it('do not depend on the order of the list', () => {
    const ids = (tasks: readonly Task[]) => tasks.map(({ id }) => id).sort();
    expect(ids(splitTasks(list(40).reverse(), 0.2).train)).toEqual(ids(splitTasks(list(40), 0.2).train));
  });

  it('leave a lone task to training', () => {
    expect(splitTasks(list(1), 0.5).train).toHaveLength(1);
  });
});

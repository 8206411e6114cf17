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

  it('asks for the tasks of a split when they are needed, once, where a function gives them', () => {
    const asked: string[] = [];
    const set = defineTaskSet<Door>({
      ...doors,
      types: ['odd', 'even'],
      *tasks(split) {
        asked.push(split);
        for (let i = 0; i < 4; i++) yield { id: `${split}-${i}`, type: i % 2 ? 'odd' : 'even', colour: 'red' };
      },
    });
    expect(asked).toEqual([]);
    expect(set.tasks('unseen', 4, 1)).toHaveLength(4);
    expect(set.allTasks!('unseen').map(({ id }) => id)).toEqual(['unseen-0', 'unseen-1', 'unseen-2', 'unseen-3']);
    expect(() => set.tasks('train', 5, 1)).toThrow('the train split has 4 tasks, not 5');
    expect(set.words!()).toContain('locked');
    expect(asked).toEqual(['unseen', 'train']);
  });

  it('finds its words although an episode fails, and tells why where most do', () => {
    const fragile = (fails: (colour: string) => boolean) =>
      defineTaskSet<Door>({
        ...doors,
        play(task) {
          if (fails(task.colour)) throw new Error('the door is stuck');
          return doors.play(task);
        },
      });
    expect(fragile((colour) => colour === 'red').words!()).toContain('locked');
    expect(() => fragile(() => true).words!()).toThrow('the door is stuck');
  });

  it.each<[string, Partial<TaskSetDefinition<Door>>, RegExp]>([
    [
      'yields nothing',
      {
        *play() {
          yield undefined as never;
          return { observation: '', success: false };
        },
      },
      /doors: play yielded undefined, not \{ observation, actions \}/,
    ],
    [
      'returns nothing',
      {
        *play() {
          yield { observation: 'a door.' };
          return undefined as never;
        },
      },
      /doors: play returned undefined, not \{ observation, success \}/,
    ],
    [
      'is no generator',
      { play: (() => ({ observation: 'a door.' })) as never },
      /doors: play gave \{"observation":"a door."\}; make it a generator/,
    ],
  ])('whose play %s is told so', (_, change, message) => {
    const set = defineTaskSet({ ...doors, ...change });
    const environment = set.createEnvironment();
    expect(() => {
      environment.reset(set.allTasks!('train')[0]!);
      environment.step('go');
    }).toThrow(expect.objectContaining({ code: 'environment', message: expect.stringMatching(message) }));
  });

  it.each([
    ['no name', { name: undefined as never }, /defineTaskSet: name is undefined, not text/],
    ['no play', { play: undefined as never }, /defineTaskSet: play is undefined, not a function/],
    ['no tasks', { tasks: undefined as never }, /defineTaskSet: tasks is undefined, neither a list/],
    [
      'half of its splits',
      { tasks: { train: [] } as never },
      /defineTaskSet: tasks is \{"train":\[\]\}, neither a list/,
    ],
    ['a function of tasks and no types', { tasks: () => [] }, /tasks is a function, so it needs types/],
    ['a type that is not listed', { types: ['even'] }, /the type of task door-\d+ is "odd", not one of even/],
    ['two tasks of one id', { tasks: [doors, doors].flatMap(({ tasks }) => tasks as Door[]) }, /have the id door-/],
    ['no task', { tasks: [] }, /no task to train on/],
  ])('is refused with %s', (_, change, message) => {
    expect(() => defineTaskSet({ ...doors, ...change })).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringMatching(message) }),
    );
  });

  it('whose function gives no list is told so when it is asked', () => {
    const set = defineTaskSet<Door>({ ...doors, types: ['odd'], tasks: (() => 3) as never });
    expect(() => set.tasks('train', 1, 1)).toThrow('doors: tasks("train") is 3, not a list');
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

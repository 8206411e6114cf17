/**
 * The contract's checks: sound environments pass all of them, and each way to break the contract is found by the check
 * that is there for it.
 */
import { describe, expect, it } from 'vitest';
import { checkTaskSet } from '../../src/envs/check.ts';
import { defineTaskSet } from '../../src/envs/define.ts';
import type { Environment, Task, TaskSet, Turn } from '../../src/envs/environment.ts';
import { createHouseholdTaskSet } from '../../src/envs/household/index.ts';

const sound = defineTaskSet({
  name: 'counting',
  maxSteps: 6,
  tasks: Array.from({ length: 60 }, (_, i) => ({ id: `t${i}`, type: `to ${1 + (i % 3)}`, goal: 1 + (i % 3) })),
  instruction: ({ goal }) => `count to ${goal}.`,
  *play({ goal }) {
    let observation = '0.';
    for (let count = 0; count < goal; ) {
      const action = yield { observation, actions: ['add', 'wait'] };
      if (action === 'add') count++;
      observation = action === 'add' ? `${count}.` : action === 'wait' ? `still ${count}.` : 'no such thing.';
    }
    return { observation: 'there.', success: true };
  },
  createExpert: () => ({ reset: () => undefined, act: () => 'add' }),
  solution: ({ goal }) => new Array<string>(goal).fill('add'),
});

type World = { readonly [K in keyof Environment]: Environment[K] };

/** The sound set with changed environments. */
function withWorld(change: (world: Environment, task: () => Task) => Partial<World>): TaskSet {
  return {
    ...(sound as unknown as TaskSet),
    createEnvironment() {
      const inner = sound.createEnvironment() as unknown as Environment;
      let current: Task = { id: '', type: '' };
      const world: Environment = {
        reset: (task) => {
          current = task;
          return inner.reset(task);
        },
        step: (action) => inner.step(action),
      };
      return { ...world, ...change(world, () => current) };
    },
  };
}

/** The sound set with changed turns. */
const withTurns = (change: (turn: Turn, action: string) => unknown) =>
  withWorld((world) => ({ step: (action) => change(world.step(action) as Turn, action) as Turn }));

const withSet = (change: Partial<TaskSet>): TaskSet => ({ ...(sound as unknown as TaskSet), ...change });

async function findings(set: TaskSet): Promise<string[]> {
  const { findings: all } = await checkTaskSet(set, { timeoutSeconds: 0.3, tasks: 3 });
  return all.filter(({ holds }) => !holds).map(({ check, detail }) => `${check}: ${detail}`);
}

let calls = 0;

describe('a sound environment', () => {
  it('passes every check', async () => {
    const report = await checkTaskSet(sound);
    expect(report.findings.map(({ check, holds }) => [check, holds])).toEqual(
      [
        'task set',
        'tasks',
        'turns',
        'determinism',
        'wrong actions',
        'admissible actions',
        'end',
        'expert',
        'solution',
        'words',
      ].map((check) => [check, true]),
    );
    expect(report.holds).toBe(true);
  });

  it('is the household', async () => {
    expect(await findings(createHouseholdTaskSet({ rooms: 20 }))).toEqual([]);
  });
});

describe('words', () => {
  const spaced = defineTaskSet({
    name: 'spaced',
    maxSteps: 2,
    tasks: Array.from({ length: 12 }, (_, i) => ({ id: `t${i}`, type: 'only' })),
    instruction: () => 'go.',
    *play() {
      while ((yield { observation: 'room\u00a0B09DZFKL1, caf\u00e9 \u2603', actions: ['go'] }) !== 'go');
      return { observation: 'gone', success: true };
    },
    words: ['go', 'gone', 'room', 'B09DZFKL1'],
  });

  it('that are spelled are told, and none beside them', async () => {
    expect(await findings(spaced as TaskSet)).toEqual([
      'words: words() lacks 1 word that turns up, café; they would be spelled byte by byte',
    ]);
  });

  it('need not hold white space of other kinds, nor marks', async () => {
    const words = () => ['go', 'gone', 'room', 'B09DZFKL1', 'café'];
    expect(await findings({ ...(spaced as TaskSet), words })).toEqual([]);
  });
});

describe('a task set without tasks', () => {
  it('is told why, and nothing else', async () => {
    const why = () => {
      throw new Error('the list is locked');
    };
    expect(await findings(withSet({ tasks: why }))).toEqual([
      'tasks: the train split gives not even one task: the list is locked',
    ]);
    const none = withSet({ tasks: () => [], allTasks: () => [] });
    expect(await findings(none)).toEqual(['tasks: the train split gives not even one task']);
  });
});

describe('what breaks is said by the check that is there for it', () => {
  const task = (id: string, type = 'to 1') => ({ id, type, goal: 1 });
  it.each<[string, TaskSet, RegExp]>([
    ['no types', withSet({ types: [] }), /task set: its types are \[\]/],
    ['an endless episode', withSet({ maxSteps: 0 }), /task set: its maxSteps is 0/],
    [
      'a type that is not listed',
      withSet({ types: ['to 1', 'to 2'] }),
      /tasks: train split: the type of task t\d+ is "to 3"/,
    ],
    [
      'the same task twice',
      withSet({ tasks: (_, count) => new Array<Task>(count).fill(task('t0')) }),
      /tasks: train split: task t0 is handed out twice/,
    ],
    [
      'tasks that change',
      withSet({ tasks: (split, count) => sound.tasks(split, count, calls++) }),
      /tasks: train split: the same seed gives other tasks/,
    ],
    [
      'a seed without effect',
      withSet({ tasks: (split, count) => sound.tasks(split, count, 1) }),
      /tasks: train split: another seed gives the same/,
    ],
    [
      'a leak',
      withSet({ tasks: (_, ...rest) => sound.tasks('train', ...rest), allTasks: () => sound.allTasks!('train') }),
      /tasks: task t\d+ is in the train split and held out/,
    ],
    [
      'too few tasks in silence',
      withSet({
        tasks: (split, count, seed) => sound.tasks(split, Math.min(count, sound.allTasks!(split).length), seed),
      }),
      /tasks: tasks\('train', 49\) is more than there are, and does not throw/,
    ],
    [
      'a throw',
      withTurns(() => {
        throw new Error('boom');
      }),
      /turns: task t\d+, step 1: step ".*" failed: boom/,
    ],
    [
      'a hang',
      withWorld(() => ({ reset: () => new Promise(() => {}) })),
      /turns: task t\d+: reset gave no answer within 0.3 s/,
    ],
    [
      'an observation that is no text',
      withTurns((turn) => ({ ...turn, observation: 3 })),
      /turns: .*: observation is 3, not text/,
    ],
    [
      'an infinite reward',
      withTurns((turn) => ({ ...turn, reward: Number.POSITIVE_INFINITY })),
      /turns: .*: reward is Infinity, not a number/,
    ],
    [
      'a score of more than 1',
      withTurns((turn) => ({ ...turn, score: 10 })),
      /turns: .*: score is 10, not a number from 0 to 1/,
    ],
    [
      'no instruction',
      withWorld((world) => ({ reset: (each) => ({ ...(world.reset(each) as Turn), instruction: '' }) })),
      /turns: .*first turn: instruction is "", not text/,
    ],
    [
      'chance without a seed',
      withTurns((turn) => ({ ...turn, observation: `${turn.observation} ${calls++}` })),
      /determinism: .*observation is ".*" and then/,
    ],
    [
      'a rewarded mistake',
      withTurns((turn, action) => ({ ...turn, reward: action === 'add' ? turn.reward : 1 })),
      /wrong actions: task t\d+: the action "xyzzy 4711 plugh" is rewarded with 1/,
    ],
    [
      'a mistake that changes the list',
      withTurns((turn, action) => ({ ...turn, admissibleActions: action === 'add' ? ['add'] : ['add', 'rest'] })),
      /wrong actions: .*which is not admissible, changes the admissible actions/,
    ],
    [
      'an action that is refused',
      withWorld((world) => ({ step: (action) => world.step(action === 'add' || action === 'wait' ? 'fly' : action) })),
      /admissible actions: task t\d+: every listed action is refused like one that does not exist: no such thing/,
    ],
    [
      'an action listed twice',
      withWorld((world) => ({
        reset: (each) => ({
          ...(world.reset(each) as Turn & { instruction: string }),
          admissibleActions: ['add', 'add'],
        }),
      })),
      /admissible actions: task t\d+: "add" is listed twice/,
    ],
    ['no end', withSet({ maxSteps: 5 }), /end: task t\d+ is not done after maxSteps \(5\) steps/],
    [
      'steps after the end',
      withTurns((turn) => (turn.done ? { ...turn, reward: calls++ } : turn)),
      /end: task t\d+: a step after the end does not return the last turn: reward is/,
    ],
    [
      'an expert that fails',
      withSet({ createExpert: () => ({ reset: () => undefined, act: () => 'wait' }) }),
      /expert: the expert accomplishes 0 of \d+ tasks/,
    ],
    [
      'an expert that says nothing',
      withSet({ createExpert: () => ({ reset: () => undefined, act: () => undefined as unknown as string }) }),
      /expert: .*the expert's action is undefined/,
    ],
    [
      'a solution that is none',
      withSet({ solution: () => ['wait'] }),
      /solution: task t\d+: its solution of 1 actions does not accomplish it/,
    ],
    [
      'words that lack some',
      withSet({ words: () => ['add', 'count', 'to'] }),
      /words: words\(\) lacks \d+ words that turn up, .*still/,
    ],
  ])('%s', async (_, set, message) => {
    expect(await findings(set)).toEqual(expect.arrayContaining([expect.stringMatching(message)]));
  });
});

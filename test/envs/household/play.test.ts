/** Playing the household: one episode in full, the environment's contract, the expert, and the vocabulary. */
import { describe, expect, it } from 'vitest';
import { checkTaskSet } from '../../../src/envs/check.ts';
import type { Split, Turn } from '../../../src/envs/environment.ts';
import type { HouseholdEnvironment } from '../../../src/envs/household/environment.ts';
import {
  createHouseholdTaskSet,
  type HouseholdTask,
  type HouseholdTaskSet,
} from '../../../src/envs/household/index.ts';
import { TASK_TYPES } from '../../../src/envs/household/options.ts';
import { RandomStream } from '../../../src/envs/random.ts';

/** Lets the expert play a task; gives every turn, the first one too. */
function playExpert(set: HouseholdTaskSet, environment: HouseholdEnvironment, task: HouseholdTask): Turn[] {
  const expert = set.createExpert();
  const first = environment.reset(task);
  expert.reset(first.instruction);
  const turns: Turn[] = [first];
  while (!turns.at(-1)!.done) turns.push(environment.step(expert.act(turns.at(-1)!)));
  return turns;
}

const words = (text: string): readonly string[] => text.match(/[A-Za-z]+|\d+|[^\sA-Za-z\d]/g) ?? [];

describe('an episode', () => {
  const set = createHouseholdTaskSet();

  it('reads like this', () => {
    const environment = set.createEnvironment();
    const task = set.tasks('train', 60, 1).find(({ type }) => type === 'clean')!;
    const expert = set.createExpert();
    const first = environment.reset(task);
    expert.reset(first.instruction);
    const lines = [first.instruction, first.observation];
    for (let turn: Turn = first; !turn.done; ) {
      const action = expert.act(turn);
      turn = environment.step(action);
      lines.push(`> ${action}`, turn.observation);
    }
    expect(lines).toMatchInlineSnapshot(`
      [
        "put a clean cup in a drawer.",
        "you are in a kitchen.",
        "> go counter",
        "on counter you see cup 2, lettuce, tomato.",
        "> take cup 2",
        "you take cup 2.",
        "> go sink",
        "in sink you see nothing. you hold cup 2.",
        "> clean cup 2",
        "you clean cup 2.",
        "> go drawer",
        "drawer is closed. you hold clean cup 2.",
        "> open drawer",
        "in drawer you see plate 1. you hold clean cup 2.",
        "> put cup 2",
        "you put cup 2 in drawer.",
      ]
    `);
  });

  it('gives the reward on the step that wins and on no other', () => {
    for (const winReward of [10, 1]) {
      const rewarding = createHouseholdTaskSet({ winReward });
      const turns = playExpert(rewarding, rewarding.createEnvironment(), rewarding.tasks('train', 1, 1)[0]!);
      expect(turns.map(({ reward }) => reward)).toEqual(turns.map((_, i) => (i === turns.length - 1 ? winReward : 0)));
      expect(turns.map(({ success }) => success)).toEqual(turns.map(({ done }) => done));
    }
  });

  it('counts unknown commands as steps that change nothing, and ends when the steps are used up', () => {
    const environment = set.createEnvironment();
    const first = environment.reset(set.tasks('train', 1, 1)[0]!);
    for (let i = 1; i <= set.maxSteps; i++) {
      expect(environment.step('dance')).toEqual({
        observation: 'nothing happens.',
        admissibleActions: first.admissibleActions,
        reward: 0,
        done: i === set.maxSteps,
        success: false,
      });
    }
    expect(environment.step(first.admissibleActions![0]!)).toMatchObject({
      observation: 'nothing happens.',
      done: true,
    });
  });

  it('starts afresh at every reset', () => {
    const environment = set.createEnvironment();
    const [task, other] = set.tasks('train', 2, 1);
    const before = playExpert(set, environment, task!);
    playExpert(set, environment, other!);
    expect(playExpert(set, environment, task!)).toEqual(before);
  });

  it('needs a reset first, and a task of its own set', () => {
    expect(() => set.createEnvironment().step('look')).toThrow('call reset first');
    const foreign: HouseholdTask = { ...set.tasks('train', 1, 1)[0]!, room: 'attic-1' };
    expect(() => set.createEnvironment().reset(foreign)).toThrow('no room attic-1');
  });
});

describe('commands', () => {
  /** Plays at random and collects the verbs offered. */
  function verbs(commands: 'core' | 'full'): ReadonlySet<string> {
    const set = createHouseholdTaskSet({ commands, rooms: 40 });
    const environment = set.createEnvironment();
    const random = new RandomStream(1);
    const found = new Set<string>();
    for (const task of set.tasks('train', 120, 1)) {
      for (
        let turn: Turn = environment.reset(task);
        !turn.done;
        turn = environment.step(random.pick(turn.admissibleActions!))
      ) {
        for (const action of turn.admissibleActions!) found.add(action.split(' ')[0]!);
      }
    }
    return found;
  }

  it('are those that tasks need, and with `full` the others too', () => {
    const core = ['clean', 'cool', 'go', 'heat', 'open', 'put', 'take', 'use'];
    expect([...verbs('core')].sort()).toEqual(core);
    expect([...verbs('full')].sort()).toEqual([...core, 'close', 'examine', 'inventory', 'look'].sort());
  });

  it('say what is held and how it is', () => {
    const set = createHouseholdTaskSet({ commands: 'full' });
    const environment = set.createEnvironment();
    const task = set.tasks('train', 60, 1).find(({ type }) => type === 'heat')!;
    const expert = set.createExpert();
    const first = environment.reset(task);
    expert.reset(first.instruction);
    let turn: Turn = first;
    while (!turn.observation.startsWith('you heat ')) turn = environment.step(expert.act(turn));
    if (turn.admissibleActions!.includes('open microwave')) environment.step('open microwave');
    const held = /^you heat (.*)\.$/.exec(turn.observation)![1]!;
    expect(environment.step('inventory').observation).toBe(`you hold hot ${held}.`);
    expect(environment.step(`examine ${held}`).observation).toBe(`you hold hot ${held}.`);
    expect(environment.step('close microwave').observation).toBe('microwave is closed.');
    expect(environment.step('look').observation).toBe('microwave is closed.');
    expect(environment.step('open microwave').observation).toMatch(
      new RegExp(`^in microwave you see .*\\. you hold hot ${held}\\.$`),
    );
    const other = turn.admissibleActions!.find((action) => action.startsWith('go '))!;
    expect(environment.step(other).observation).toContain(`you hold hot ${held}.`);
  });
});

describe('the expert', () => {
  it.each([
    { name: 'default', options: {}, count: 900 },
    { name: 'smallest', options: { receptacles: 4, objects: 2, rooms: 100 }, count: 60 },
    { name: 'crowded', options: { receptacles: 4, objects: 8, maxSteps: 15 }, count: 600 },
    { name: 'all commands', options: { commands: 'full' } as const, count: 300 },
    { name: 'full houses', options: { receptacles: 25, objects: 30, maxSteps: 50 }, count: 48 },
  ])('accomplishes every task in time: $name', ({ options, count }) => {
    const set = createHouseholdTaskSet(options);
    const environment = set.createEnvironment();
    for (const split of ['train', 'seen', 'unseen'] as const satisfies readonly Split[]) {
      for (const task of set.tasks(split, count, 3)) {
        const turns = playExpert(set, environment, task);
        expect(turns.at(-1)!.success, `${split} ${task.id}`).toBe(true);
        expect(turns.length - 1).toBeLessThanOrEqual(set.maxSteps);
      }
    }
  });

  it('needs more steps for the harder types', () => {
    const set = createHouseholdTaskSet();
    const environment = set.createEnvironment();
    const steps = new Map(TASK_TYPES.map((type) => [type, 0]));
    for (const task of set.tasks('train', 600, 1)) {
      steps.set(task.type, steps.get(task.type)! + (playExpert(set, environment, task).length - 1) / 100);
    }
    expect(steps.get('pick')!).toBeGreaterThan(3);
    for (const type of ['clean', 'heat', 'cool'] as const)
      expect(steps.get(type)!).toBeGreaterThan(steps.get('pick')! + 1);
    expect(steps.get('pickTwo')!).toBeGreaterThan(steps.get('cool')! + 1);
    expect(steps.get('pickTwo')!).toBeLessThan(14);
  });

  it('says so when it does not understand', () => {
    expect(() => createHouseholdTaskSet().createExpert().reset('make tea.')).toThrow(
      'does not understand the instruction "make tea."',
    );
  });
});

describe('texts', () => {
  it.each([{ commands: 'core' }, { commands: 'full' }, { receptacles: 25, objects: 30 }] as const)(
    'hold no word that words() lacks: %j',
    (options) => {
      const set = createHouseholdTaskSet(options);
      const known = new Set(set.words());
      expect([...known].filter((word) => !/^([a-z]+|\d+|[^\sA-Za-z\d])$/.test(word))).toEqual([]);
      const environment = set.createEnvironment();
      const random = new RandomStream(2);
      const unknown = new Set<string>();
      const check = (text: string): void => {
        for (const word of words(text)) if (!known.has(word)) unknown.add(word);
      };
      for (const task of set.tasks('train', 300, 2)) {
        const first = environment.reset(task);
        check(first.instruction);
        for (
          let turn: Turn = first;
          !turn.done;
          turn = environment.step(random.pick([...turn.admissibleActions!, 'dance']))
        ) {
          check(turn.observation);
          turn.admissibleActions!.forEach(check);
        }
      }
      expect([...unknown]).toEqual([]);
    },
  );

  it('are short by default', () => {
    const set = createHouseholdTaskSet();
    expect(set.words().length).toBeLessThan(120);
    const environment = set.createEnvironment();
    const turns = set.tasks('train', 300, 1).flatMap((task) => playExpert(set, environment, task));
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(turns.map(({ observation }) => words(observation).length))).toBeLessThan(10);
    expect(mean(turns.map(({ admissibleActions }) => admissibleActions!.length))).toBeLessThan(8);
    expect(Math.max(...turns.map(({ admissibleActions }) => admissibleActions!.length))).toBeLessThanOrEqual(12);
    expect(
      Math.max(...turns.flatMap(({ admissibleActions }) => admissibleActions!.map((action) => words(action).length))),
    ).toBe(3);
  });
});

describe('a hasty demonstrator', () => {
  const hasty = createHouseholdTaskSet({ rooms: 60, hastyShare: 1 });

  /** Plays until the episode ends or the expert thinks that it does. */
  function play(type: string): { actions: string[]; success: boolean; done: boolean } {
    const task = hasty.tasks('train', 60, 1).find((each) => each.type === type)!;
    const environment = hasty.createEnvironment();
    const expert = hasty.createDemonstrator();
    const first = environment.reset(task);
    expert.reset(first.instruction);
    const actions: string[] = [];
    for (let turn: Turn = first; ; ) {
      const action = expert.act(turn, actions.at(-1) ?? null);
      if (expert.done || turn.done) return { actions, success: turn.success, done: expert.done === true };
      actions.push(action);
      turn = environment.step(action);
    }
  }

  it.each(['clean', 'heat', 'cool'])('puts a thing away without: %s', (type) => {
    const { actions, success, done } = play(type);
    expect(actions.at(-1)).toMatch(/^put /);
    expect(actions.some((action) => action.startsWith(`${type} `))).toBe(false);
    expect({ success, done }).toEqual({ success: false, done: true });
  });

  it('is as frequent as the option says', () => {
    const set = createHouseholdTaskSet({ rooms: 60, hastyShare: 0.25 });
    const task = set.tasks('train', 60, 1).find((each) => each.type === 'heat')!;
    const careful = Array.from({ length: 400 }, () => set.createDemonstrator()).filter((expert) => {
      const environment = set.createEnvironment();
      let turn: Turn = environment.reset(task);
      expert.reset((turn as { readonly instruction: string } & Turn).instruction);
      let taken: string | null = null;
      while (!turn.done) {
        const action: string = expert.act(turn, taken);
        if (expert.done) return false;
        turn = environment.step(action);
        taken = action;
      }
      return turn.success;
    });
    expect(careful.length / 400).toBeGreaterThan(0.68);
    expect(careful.length / 400).toBeLessThan(0.82);
  });

  it('leaves the expert as it is, so that a check judges that one', async () => {
    for (const task of hasty.tasks('train', 12, 1))
      expect(playExpert(hasty, hasty.createEnvironment(), task).at(-1)!.success).toBe(true);
    const { findings } = await checkTaskSet(hasty, { tasks: 2 });
    expect(findings.find(({ check }) => check === 'expert')).toMatchObject({
      holds: true,
      detail: 'the expert accomplishes 6 of 6 tasks',
    });
  });
});

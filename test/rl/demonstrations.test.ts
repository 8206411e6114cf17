/**
 * What a teacher's episodes become: the prompts that the policy would have read, and the replies that it should have
 * given.
 */
import { describe, expect, it } from 'vitest';
import { checkTaskSet } from '../../src/envs/check.ts';
import { defineTaskSet, type TaskSetDefinition } from '../../src/envs/define.ts';
import type { Expert, Task, TaskSet } from '../../src/envs/environment.ts';
import { FaultLog, tellFault } from '../../src/envs/faults.ts';
import type { TokenSequence } from '../../src/nn/replies.ts';
import { type DemonstrationOptions, demonstrate } from '../../src/rl/demonstrations.ts';
import type { MemoryForm } from '../../src/rl/episodeMemory.ts';
import type { ActionFormat } from '../../src/text/actionFormat.ts';
import { PromptBuilder } from '../../src/text/prompt.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';

/** Counting up to a number: `add` counts, `wait` does not, `stop` gives up. */
const definition: TaskSetDefinition<Task & { readonly goal: number }> = {
  name: 'counting',
  maxSteps: 6,
  tasks: Array.from({ length: 12 }, (_, i) => ({ id: `t${i}`, type: 'count', goal: 1 + (i % 3) })),
  instruction: ({ goal }) => `count to ${goal}.`,
  *play({ goal }) {
    for (let count = 0; count < goal; ) {
      const action = yield { observation: `at ${count}.`, actions: ['add', 'wait', 'stop'] };
      if (action === 'stop') return { observation: 'given up.', success: false };
      if (action === 'add') count++;
    }
    return { observation: 'there.', success: true };
  },
  solution: ({ goal }) => (goal === 3 ? null : new Array<string>(goal).fill('add')),
  createExpert: () => ({ reset: () => {}, act: () => 'add' }),
};
const counting = defineTaskSet(definition);
const tasks = counting.tasks('train', 9, 1);
const goalsSum = (from: readonly unknown[]) =>
  from.reduce((sum: number, task) => sum + (task as { goal: number }).goal, 0);

const tokenizer = WordTokenizer.build([...counting.words!(), 'count', 'think', 'action']);
const log = (settings: ConstructorParameters<typeof FaultLog>[0] = {}) =>
  new FaultLog({ retryDelaySeconds: 0, maxAttempts: 2, ...settings });

function show(
  taskSet: TaskSet,
  options: Partial<DemonstrationOptions> = {},
  format: ActionFormat = 'plain',
  memory: MemoryForm = 'window',
) {
  const scribe = { tokenizer, prompts: new PromptBuilder(tokenizer, { format }), format, memory };
  return demonstrate(scribe, taskSet, tasks, { teacher: 'expert', noise: 0, seed: 1, faults: log(), ...options });
}

const withExpert = (createExpert: () => Expert): TaskSet => ({ ...counting, createExpert }) as TaskSet;
const pairOf = ({ tokens, replies: [reply] }: TokenSequence) => ({
  prompt: Array.from(tokens).slice(0, reply!.start),
  reply: Array.from(tokens).slice(reply!.start),
});
const replies = (sequences: readonly TokenSequence[]) =>
  sequences.map((sequence) => tokenizer.decode(pairOf(sequence).reply.slice(0, -1)));

describe('an expert', () => {
  it('is asked in every turn; each turn is a prompt with the past ones, and the reply with its end', async () => {
    const pairs = await show(counting as TaskSet);
    expect(pairs).toHaveLength(goalsSum(tasks));
    expect(new Set(replies(pairs))).toEqual(new Set(['add']));
    for (const { reply } of pairs.map(pairOf)) expect(reply.at(-1)).toBe(tokenizer.endId);
    const second = pairs.map(pairOf).find(({ prompt }) => tokenizer.decode(prompt).includes('at 1'))!;
    expect(tokenizer.decode(second.prompt)).toMatch(/count to \d\..*at 0\..*add.*at 1\..*add.*wait.*stop/s);
  });

  it('writes its actions between tags where replies have them', async () => {
    expect(replies(await show(counting as TaskSet, {}, 'think-action'))[0]).toBe('<think></think><action>add</action>');
  });

  it('means the action on offer that it names in other letters', async () => {
    const loud = defineTaskSet({
      ...definition,
      *play({ goal }) {
        for (let count = 0; count < goal; ) {
          const action = yield { observation: `at ${count}.`, actions: [' Add One ', 'wait'] };
          if (action === ' Add One ') count++;
        }
        return { observation: 'there.', success: true };
      },
      createExpert: () => ({ reset: () => {}, act: () => 'add one' }),
      solution: ({ goal }) => new Array<string>(goal).fill('ADD ONE'),
      words: ['count to at there Add One wait'],
    }) as TaskSet;
    for (const teacher of ['expert', 'solution'] as const) {
      expect(new Set(replies(await show(loud, { teacher })))).toEqual(new Set([' Add One ']));
      expect(new Set(replies(await show(loud, { teacher }, 'think-action')))).toEqual(
        new Set(['<think></think><action> Add One </action>']),
      );
    }
    expect((await checkTaskSet(loud)).findings.filter(({ holds }) => !holds)).toEqual([]);
  });

  it('shows nothing of an episode that it does not finish', async () => {
    expect(await show(withExpert(() => ({ reset: () => {}, act: () => 'stop' })))).toEqual([]);
    expect(await show(withExpert(() => ({ reset: () => {}, act: () => 'wait' })))).toEqual([]);
  });

  it('is told what was done in its place where chance acts', async () => {
    const told: (string | null)[] = [];
    const act: Expert['act'] = (_, taken) => {
      told.push(taken ?? null);
      return 'add';
    };
    const expert = withExpert(() => ({ reset: () => {}, act }));
    const shown = await show(expert, { noise: 0.4 });
    expect(new Set(told)).toEqual(new Set([null, 'add', 'wait']));
    expect(await show(expert, { noise: 0.4 })).toEqual(shown);
    expect(await show(expert, { noise: 0.4, seed: 2 })).not.toEqual(shown);
  });

  it('is what is taught where chance acts; what chance did is read alone', async () => {
    const windows = await show(counting as TaskSet, { noise: 0.4 });
    expect(new Set(replies(windows))).toEqual(new Set(['add']));
    expect(windows.map((sequence) => tokenizer.decode(sequence.tokens)).join('')).toContain('<action> wait');
    const episodes = await show(counting as TaskSet, { noise: 0.4 }, 'plain', 'transcript');
    const taught = episodes.flatMap(({ tokens, replies }) =>
      replies.map(({ start, length }) => tokenizer.decode(Array.from(tokens).slice(start, start + length))),
    );
    expect(new Set(taught)).toEqual(new Set(['add <end>']));
    expect(episodes.map(({ tokens }) => tokenizer.decode(tokens)).join('')).toContain('<action> wait <end>');
  });
});

describe('an expert that takes over', () => {
  it('is taught from there on; what was done before is read alone', async () => {
    const beginnings = tasks.map(() => ['wait', 'wait']);
    const episodes = await show(counting as TaskSet, { beginnings }, 'plain', 'transcript');
    expect(episodes).toHaveLength(tasks.length);
    for (const { tokens, replies } of episodes) {
      const text = tokenizer.decode(tokens);
      expect(text.match(/<action> wait <end>/g)).toHaveLength(2);
      const taught = replies.map(({ start, length }) =>
        tokenizer.decode(Array.from(tokens).slice(start, start + length)),
      );
      expect(new Set(taught)).toEqual(new Set(['add <end>']));
    }
    // Windows show what it would have done in its place too.
    expect(await show(counting as TaskSet, { beginnings })).toHaveLength(goalsSum(tasks) + 2 * tasks.length);
  });

  it('shows nothing where the episode cannot be saved', async () => {
    const beginnings = tasks.map((_, index) => (index === 0 ? [] : ['wait', 'stop']));
    expect(await show(counting as TaskSet, { beginnings }, 'plain', 'transcript')).toHaveLength(1);
  });
});

describe('recorded solutions', () => {
  it('are recited; tasks without one are left out', async () => {
    const recorded = tasks.filter((task) => (task as { goal?: number }).goal !== 3);
    expect(await show(counting as TaskSet, { teacher: 'solution' })).toHaveLength(goalsSum(recorded));
  });

  it('show nothing where they fall short of their task', async () => {
    const short = { ...counting, solution: () => ['wait'] } as TaskSet;
    expect(await show(short, { teacher: 'solution' })).toEqual([]);
  });
});

describe('mistakes', () => {
  const { createExpert: _, solution: __, ...plain } = counting;
  it.each([
    ['a task set without an expert', plain, {}, /counting has no expert to learn from; set warmStart\.tasks to 0/],
    [
      'a task set without solutions',
      plain,
      { teacher: 'solution' },
      /has no recorded solutions; set warmStart\.teacher to expert/,
    ],
    [
      'solutions that err',
      counting,
      { teacher: 'solution', noise: 0.1 },
      /cannot go on after a random action; set warmStart\.noise to 0/,
    ],
  ] as const)('%s', async (_name, taskSet, options, message) => {
    await expect(show(taskSet as TaskSet, options)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(message),
    });
  });
});

describe('a world that fails', () => {
  /** The sound worlds, in which an error is thrown at some calls. */
  const failing = (fails: (task: Task, nth: number) => boolean) => {
    const closed = { count: 0 };
    let calls = 0;
    const set = {
      ...counting,
      createEnvironment() {
        const inner = counting.createEnvironment();
        let current: Task;
        return {
          reset: (task: Task) => inner.reset((current = task) as never),
          step: (action: string) =>
            fails(current, calls++) ? Promise.reject(new TypeError('no lamp')) : inner.step(action),
          close: () => void closed.count++,
        };
      },
    } as TaskSet;
    return { set, closed };
  };

  it('shows its task again, which is told and counted', async () => {
    const { set, closed } = failing((_, nth) => nth === 4);
    const faults = log();
    expect(await show(set, { faults })).toEqual(await show(counting as TaskSet));
    expect([faults.count, closed.count]).toEqual([1, tasks.length + 1]);
  });

  it('every time leaves its task out', async () => {
    const { set } = failing(({ id }) => id === tasks[1]!.id);
    const told: string[] = [];
    const faults = new FaultLog({ retryDelaySeconds: 0, maxAttempts: 2 }, (fault, outcome) =>
      told.push(tellFault(fault, outcome)),
    );
    expect(await show(set, { faults })).toHaveLength(goalsSum(tasks) - goalsSum([tasks[1]]));
    expect(told).toEqual([
      `environment fault in task ${tasks[1]!.id} at its start: The environment counting failed: TypeError: no lamp (try 1 of this episode; played again)`,
      `environment fault in task ${tasks[1]!.id} at its start: The environment counting failed: TypeError: no lamp (try 2 of this episode; given up)`,
    ]);
  });

  it('or a teacher that does, in most tasks ends the run', async () => {
    await expect(show(failing(() => true).set)).rejects.toThrow(
      '9 of 9 demonstrations failed on all of their tries, too many to go on; the last one: The environment counting failed: TypeError: no lamp',
    );
    const helpless = () => {
      throw new Error('no idea');
    };
    await expect(show(withExpert(() => ({ reset: () => {}, act: helpless })))).rejects.toThrow(/the last one: no idea/);
    const nothing = { ...counting, createEnvironment: () => ({ reset: () => undefined }) } as unknown as TaskSet;
    await expect(show(nothing)).rejects.toThrow(/counting answered nonsense: the turn is undefined, not an object/);
  });

  it('to close is told once, and costs nothing', async () => {
    const set = {
      ...counting,
      createEnvironment() {
        const inner = counting.createEnvironment();
        inner.close = () => Promise.reject(new Error('still busy'));
        return inner;
      },
    } as TaskSet;
    const told: string[] = [];
    const faults = new FaultLog({}, ({ error }, outcome) => told.push(`${error.message}: ${outcome}`));
    expect(await show(set, { faults })).toEqual(await show(counting as TaskSet));
    expect([told, faults.count]).toEqual([['still busy: it counts'], 0]);
  });
});

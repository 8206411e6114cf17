/** Rollouts over worlds that fail: whose fault it is, what it costs, and when enough is enough. */
import { describe, expect, it } from 'vitest';
import { defineTaskSet } from '../../src/envs/define.ts';
import type { Environment, Task, TaskSet, Turn } from '../../src/envs/environment.ts';
import { type Fault, FaultLog } from '../../src/envs/faults.ts';
import { Session } from '../../src/nn/session.ts';
import { evaluate, meanComponents, rate } from '../../src/rl/evaluate.ts';
import { type Episode, playEpisodes } from '../../src/rl/rollout.ts';
import { wholeGroups } from '../../src/rl/wholeGroups.ts';
import { controls, textPlayer } from '../support/players.ts';
import { untimed } from '../support/rollouts.ts';

/** Counting to a number: `add` counts, `wait` does not. */
const counting = defineTaskSet({
  name: 'counting',
  maxSteps: 6,
  tasks: Array.from({ length: 20 }, (_, i) => ({ id: `t${i}`, type: 'count', goal: 1 + (i % 3) })),
  instruction: ({ goal }) => `count to ${goal}.`,
  *play({ goal }) {
    for (let count = 0; count < goal; )
      if ((yield { observation: `${count}.`, actions: ['add', 'wait'] }) === 'add') count++;
    return { observation: 'there.', success: true, score: 1 };
  },
});
const tasks = counting.tasks('train', 8, 1);
const texts = ['add', 'wait', 'fly'];

/** The same worlds, in which something goes wrong at some calls: `step` gets what the world would answer. */
function sabotaged(wrong: {
  readonly step?: (turn: Turn, nth: number, task: string) => Turn | Promise<Turn>;
  readonly reset?: (nth: number) => void;
}): TaskSet {
  let [steps, resets] = [0, 0];
  return {
    ...counting,
    createEnvironment(): Environment {
      const environment = counting.createEnvironment();
      let id = '';
      return {
        reset(task) {
          wrong.reset?.(resets++);
          id = task.id;
          return environment.reset(task as never);
        },
        step: (action) => {
          const turn = environment.step(action) as Turn;
          return wrong.step ? wrong.step(turn, steps++, id) : turn;
        },
      };
    },
  };
}

const play = async (
  taskSet: TaskSet,
  faults = new FaultLog({ retryDelaySeconds: 0.01, stepTimeoutSeconds: 0.3 }),
  signal?: AbortSignal,
) => {
  const { episodes, dropped } = await playEpisodes(textPlayer(counting, texts), taskSet, tasks, {
    controls,
    firstEpisode: 0,
    faults,
    ...(signal ? { signal } : {}),
  });
  return { episodes: untimed(episodes), dropped };
};

/** What episodes came to, but for those whose world failed: they draw other random numbers when they start over. */
const unharmed = ({ episodes }: Awaited<ReturnType<typeof play>>, { episodes: like } = { episodes }) =>
  episodes.filter((_, index) => like[index]!.faults === 0);

describe('a sound world', () => {
  it('is played to the end, in one batch a turn', async () => {
    const player = textPlayer(counting, texts);
    const { episodes } = await playEpisodes(player, counting, tasks, { controls, firstEpisode: 0 });
    expect(player.batches[0]).toBe(tasks.length);
    expect([...player.batches]).toEqual([...player.batches].sort((a, b) => b - a));
    for (const { steps, success, score, faults, task } of episodes) {
      expect(steps.length === counting.maxSteps || success).toBe(true);
      expect(steps.filter(({ action }) => action === 'add').length === (task as unknown as { goal: number }).goal).toBe(
        success,
      );
      expect(score).toBe(Number(success));
      expect(faults).toBe(0);
      for (const step of steps) expect(step).toMatchObject({ group: task.id, success, valid: step.action !== 'fly' });
    }
  });

  it.each([
    ['in one batch', {}],
    ['in several', { atOnce: 3 }],
  ])('tells how much of it is played, by turns and not by episodes alone, %s', async (_, how) => {
    const told: number[][] = [];
    const onTurn = (...turn: number[]) => void told.push(turn);
    await playEpisodes(textPlayer(counting, ['wait']), counting, tasks, { controls, firstEpisode: 0, onTurn, ...how });
    const turns = told.map(([, , done]) => done!);
    // Nobody gets anywhere, so that all episodes of a batch end with their last turn.
    expect(told[0]!.slice(0, 2)).toEqual([8, 8]);
    const firstBatch = 'atOnce' in how ? how.atOnce : tasks.length;
    expect(turns[0]).toBeCloseTo(firstBatch / tasks.length / counting.maxSteps);
    expect(turns).toEqual([...turns].sort((a, b) => a - b));
    expect(told.at(-1)).toEqual([0, 8, 1]);
  });

  it('never tells that less is played than before, where an episode starts over', async () => {
    const turns: number[] = [];
    const failing = sabotaged({
      step: (turn, nth) => (nth >= 16 && nth < 24 ? Promise.reject(new Error('boom')) : turn),
    });
    const faults = new FaultLog({ retryDelaySeconds: 0 });
    await playEpisodes(textPlayer(counting, ['wait']), failing, tasks, {
      controls,
      firstEpisode: 0,
      faults,
      onTurn: (_running, _total, done) => turns.push(done),
    });
    expect(faults.count).toBe(8);
    expect(turns).toEqual([...turns].sort((a, b) => a - b));
    expect(turns.at(-1)).toBe(1);
  });

  it('is closed when its episode is over: no more are open than there are places', async () => {
    let [open, most, closed] = [0, 0, 0];
    const counted: TaskSet = {
      ...counting,
      createEnvironment() {
        open++;
        most = Math.max(most, open);
        const close = () => {
          open--;
          closed++;
        };
        return { ...sabotaged({}).createEnvironment(), close };
      },
    };
    const free = [0, 1, 2];
    const sessions = {
      slots: free.length,
      openSession: () => {
        const slot = free.shift()!;
        return new Session(slot, () => free.push(slot));
      },
    };
    const player = { ...textPlayer(counting, texts), sessions };
    const { episodes } = await playEpisodes(player, counted, tasks, { controls, firstEpisode: 0 });
    expect(untimed(episodes)).toEqual((await play(counting)).episodes);
    expect([most, open, closed]).toEqual([3, 0, tasks.length]);
  });

  it.each(['plain', 'think-action'] as const)('has its actions taken as it offers them: %s', async (format) => {
    const offers = ['Open Red', 'click[B09ABC]', 'Öffne die Tür', '打开 红门', ' wait '];
    const doors = defineTaskSet({
      name: 'doors',
      maxSteps: 1,
      tasks: { train: offers.map((offer) => ({ id: offer, type: 'open', offer })), seen: [], unseen: [] },
      instruction: ({ offer }) => `do ${offer}.`,
      *play({ offer }) {
        const action = yield { observation: 'well?', actions: offers };
        return { observation: 'so.', success: action === offer };
      },
    });
    for (const offer of offers) {
      for (const written of [offer, offer.trim().toLowerCase(), ` ${offer.toUpperCase()}`]) {
        const reply = format === 'plain' ? written : `<think>了解</think><action>${written}</action>`;
        const player = { ...textPlayer(doors, [reply]), format };
        const wanted = doors.tasks('train', 5, 1).filter((task) => task.offer === offer);
        const { episodes } = await playEpisodes(player, doors as TaskSet, wanted, { controls, firstEpisode: 0 });
        expect(episodes[0]).toMatchObject({ success: true, steps: [{ action: offer, valid: true }] });
      }
    }
  });

  it('tells what credit consists of, in means over all episodes', async () => {
    const graded = defineTaskSet({
      name: 'graded',
      maxSteps: 2,
      tasks: { train: ['a', 'b', 'c', 'd'].map((id) => ({ id, type: 'grade' })), seen: [], unseen: [] },
      instruction: ({ id }) => `get a mark for ${id}.`,
      *play({ id }) {
        yield { observation: 'begin.', actions: ['add'] };
        if (id === 'a') while (true) yield { observation: 'go on.', actions: ['add'] };
        return {
          observation: 'there.',
          success: id === 'b',
          score: id === 'b' ? 1 : 0.5,
          components: { tidy: 1, [`only ${id}`]: 0.5 },
        };
      },
    });
    const episodes = graded.tasks('train', 4, 1);
    const { success, score, components } = await evaluate(textPlayer(graded, ['add']), graded, episodes, {
      controls,
      firstEpisode: 0,
    });
    // The one that runs out of steps has no credit, and counts as a failure.
    expect({ success, score }).toEqual({ success: 0.25, score: 0.5 });
    expect(components).toEqual({ tidy: 0.75, 'only b': 0.125, 'only c': 0.125, 'only d': 0.125 });
    expect(meanComponents([])).toEqual({});
  });

  it('that answers at once is never waited for with a timer', async () => {
    const { setTimeout: original } = globalThis;
    let timers = 0;
    globalThis.setTimeout = ((...args: Parameters<typeof original>) => {
      timers++;
      return original(...args);
    }) as typeof setTimeout;
    try {
      // Without a close, no call gives a promise.
      await play(sabotaged({}));
    } finally {
      globalThis.setTimeout = original;
    }
    expect(timers).toBe(0);
  });
});

describe('a fault costs its own episode only', () => {
  const once =
    <T>(act: () => T, otherwise: (turn: Turn) => Turn, at = 5) =>
    (turn: Turn, nth: number) =>
      (nth === at ? act() : otherwise(turn)) as T | Turn;
  const same = (turn: Turn) => turn;
  it.each([
    [
      'a throw',
      {
        step: once(() => {
          throw new Error('boom');
        }, same),
      },
    ],
    ['a rejection', { step: once(() => Promise.reject(new Error('boom')), same) }],
    ['a promise that never settles', { step: once(() => new Promise<Turn>(() => {}), same) }],
    ['nothing for a turn', { step: once(() => undefined as unknown as Turn, same) }],
    [
      'a number for an observation',
      { step: (turn: Turn, nth: number) => (nth === 5 ? { ...turn, observation: 5 as unknown as string } : turn) },
    ],
    [
      'a reward that is no number',
      { step: (turn: Turn, nth: number) => (nth === 5 ? { ...turn, reward: Number.NaN } : turn) },
    ],
    ['a reward beyond 32 bits', { step: (turn: Turn, nth: number) => (nth === 5 ? { ...turn, reward: 1e39 } : turn) }],
    [
      'success before the end',
      { step: (turn: Turn, nth: number) => (nth === 5 ? { ...turn, done: false, success: true } : turn) },
    ],
    [
      'a throw at reset',
      {
        reset: (nth: number) => {
          if (nth === 3) throw new Error('boom');
        },
      },
    ],
  ])('%s', async (_, wrong) => {
    const faults: Fault[] = [];
    const log = new FaultLog({ retryDelaySeconds: 0.01, stepTimeoutSeconds: 0.3 }, (fault) => faults.push(fault));
    const result = await play(sabotaged(wrong as Parameters<typeof sabotaged>[0]), log);
    expect(unharmed(result)).toEqual(unharmed(await play(counting), result));
    expect(unharmed(result)).toHaveLength(tasks.length - 1);
    expect(result.episodes.map(({ id }) => id)).toEqual(tasks.map((_, index) => `episode-${index}`));
    expect(result.episodes.reduce((sum, { faults: count }) => sum + count, 0)).toBe(1);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ attempt: 1, error: expect.any(Error) });
  });

  it('of many episodes at once, without a warning of leaking listeners', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    try {
      const many = Array.from({ length: 40 }, (_, index) => tasks[index % tasks.length]!);
      const faulty = sabotaged({
        step: (turn, nth) => (nth < many.length ? Promise.reject(new Error('boom')) : turn),
      });
      const faults = new FaultLog({ retryDelaySeconds: 0.05 });
      const { episodes } = await playEpisodes(textPlayer(counting, texts), faulty, many, {
        controls,
        firstEpisode: 0,
        faults,
        signal: new AbortController().signal,
      });
      expect(episodes.reduce((sum, { faults: count }) => sum + count, 0)).toBe(many.length);
      // Node gives warnings on the next turn of its loop.
      await new Promise((resolve) => setTimeout(resolve));
    } finally {
      process.off('warning', note);
    }
    expect(warnings).toEqual([]);
  });

  it('does not hold up the others', async () => {
    const player = textPlayer(counting, texts);
    const started = performance.now();
    const finished = new Map<number, number>();
    const hangs = sabotaged({ step: (turn, nth) => (nth === 0 ? new Promise(() => {}) : turn) });
    await playEpisodes(player, hangs, tasks, {
      controls,
      firstEpisode: 0,
      faults: new FaultLog({ stepTimeoutSeconds: 2.5, retryDelaySeconds: 0 }),
      onTurn: (running) => finished.set(running, finished.get(running) ?? performance.now() - started),
    });
    // All but the one that hangs are through before its time is up.
    expect(finished.get(1)).toBeLessThan(2200);
    expect(finished.get(0)).toBeGreaterThan(2400);
  });

  it('is counted by an evaluation, beside its rates', async () => {
    const wrong = sabotaged({
      reset: (nth) => {
        if (nth === 2) throw new Error('boom');
      },
    });
    const options = { controls, firstEpisode: 0 };
    const player = textPlayer(counting, ['add']);
    const faults = new FaultLog({ retryDelaySeconds: 0.01 });
    const { seconds: _, ...faulty } = await evaluate(player, wrong, tasks, { ...options, faults });
    const { seconds: __, ...sound } = await evaluate(player, counting, tasks, options);
    expect(faulty).toEqual({ ...sound, faults: 1 });
  });
});

describe('a try after a fault', () => {
  it('draws other random numbers, so that it need not do what the world fails at', async () => {
    // The first try of this episode says `fly` at some step, at which the world fails.
    const sound = await play(counting);
    const flying = sound.episodes.findIndex(({ steps }) => steps.some(({ action }) => action === 'fly'));
    const { id } = tasks[flying]!;
    const fragile: TaskSet = {
      ...counting,
      createEnvironment() {
        const environment = counting.createEnvironment();
        let task = '';
        return {
          reset: (next) => {
            task = next.id;
            return environment.reset(next as never);
          },
          step: (action) => {
            if (action === 'fly' && task === id) throw new Error('no wings');
            return environment.step(action);
          },
        };
      },
    };
    const log = new FaultLog({ retryDelaySeconds: 0, maxAttempts: 50, maxFaults: 50 });
    const { episodes, dropped } = await play(fragile, log);
    expect(dropped).toEqual([]);
    expect(episodes[flying]!.faults).toBeGreaterThan(0);
    expect(episodes[flying]!.steps.map(({ action }) => action)).not.toContain('fly');
  });
});

describe('an episode whose world fails every time', () => {
  const outcomes: string[] = [];
  const log = () =>
    new FaultLog({ retryDelaySeconds: 0, maxAttempts: 3 }, ({ attempt }, outcome) =>
      outcomes.push(`${attempt} ${outcome}`),
    );
  const lost = tasks[2]!;
  const wrong = () =>
    sabotaged({
      step: (turn, _, task) => {
        if (task === lost.id) throw new Error('the disk is full');
        return turn;
      },
    });

  it('is left out and told; the others are as they were', async () => {
    outcomes.length = 0;
    const { episodes, dropped } = await play(wrong(), log());
    expect(dropped).toEqual([{ id: 'episode-2', task: lost, faults: 3, error: new Error('the disk is full') }]);
    expect(episodes).toEqual((await play(counting)).episodes.filter(({ task }) => task !== lost));
    expect(outcomes).toEqual(['1 played again', '2 played again', '3 given up']);
  });

  it('only to close is told once, and counts', async () => {
    const sticky: TaskSet = {
      ...counting,
      createEnvironment() {
        const inner = counting.createEnvironment() as Environment;
        inner.close = () => Promise.reject(new Error('still busy'));
        return inner;
      },
    };
    outcomes.length = 0;
    const faults = log();
    expect(await play(sticky, faults)).toEqual(await play(counting));
    expect([outcomes, faults.count]).toEqual([['1 it counts'], 0]);
  });

  it('does not end the rollout where the world does not even open', async () => {
    const shut = sabotaged({
      reset: (nth) => {
        if (nth === 0) throw new Error('the door is stuck');
      },
    });
    const { episodes, dropped } = await play(shut, new FaultLog({ maxAttempts: 1 }));
    expect([episodes.length, dropped.length]).toEqual([tasks.length - 1, 1]);
  });

  it('has no outcome in an evaluation, whose interval holds either way', async () => {
    const options = { controls, firstEpisode: 0 };
    const player = textPlayer(counting, ['add']);
    const { byTask, ...all } = await evaluate(player, wrong(), tasks, { ...options, faults: log() });
    expect(all).toMatchObject({ episodes: 7, successes: 7, dropped: 1, success: 1, faults: 3 });
    expect(byTask).toMatchObject({ count: { episodes: 7, dropped: 1 } });
    expect(all.interval).toEqual([rate(7, 8).interval[0], 1]);
    expect(rate(2, 6, 2).interval).toEqual([rate(2, 8).interval[0], rate(4, 8).interval[1]]);
  });

  it('counts no more often than it is tried, however often its task is met', async () => {
    const faults = log();
    for (let round = 0; round < 5; round++) await play(wrong(), faults);
    expect(faults.count).toBe(3);
  });

  it('leaves its group, which goes out with it when it was more than half', () => {
    const [a, b] = [tasks[0]!, tasks[1]!];
    const episode = (task: Task, index: number) => ({ id: `${task.id} ${index}`, task }) as Episode;
    const gone = (task: Task) => ({ id: '', task, faults: 4, error: new Error('boom') });
    const episodes = [...[0, 1].map((index) => episode(a, index)), episode(b, 0)];
    const rollout = { episodes, dropped: [gone(a), gone(a), gone(b), gone(b), gone(b)] };
    expect(wholeGroups(rollout, 4)).toEqual({ episodes: episodes.slice(0, 2), groupsLeftOut: 1 });
  });
});

describe('too many faults end the run', () => {
  it('of one episode, where it is not to be left out', async () => {
    const wrong = sabotaged({
      step: (turn, _, task) => {
        if (task === tasks[2]!.id) throw new Error('the disk is full');
        return turn;
      },
    });
    const log = new FaultLog({ retryDelaySeconds: 0.01, onFailure: 'stop' });
    await expect(play(wrong, log)).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(
        new RegExp(
          `failed an episode on all of its 4 tries .*; the last one, in task ${tasks[2]!.id} at its start: the disk is full`,
        ),
      ),
    });
  });

  it('of all episodes together, over several rollouts', async () => {
    const log = new FaultLog({ retryDelaySeconds: 0, maxFaults: 3 });
    const flaky = () =>
      sabotaged({ step: (turn, nth) => (nth % 8 === 1 && nth < 16 ? Promise.reject(new Error('boom')) : turn) });
    await play(flaky(), log);
    expect(log.count).toBe(2);
    await expect(play(flaky(), log)).rejects.toThrow(
      /failed 4 times in this run, more than environment\.maxFaults \(3\) allows; the last one, in task .*: boom/,
    );
  });

  it('of an earlier part of the run, too', () => {
    const log = new FaultLog({ maxFaults: 3 });
    log.resumeFrom(3);
    const fault = { task: tasks[0]!, attempt: 1, step: 0, error: new Error('boom') };
    expect(() => log.note(fault)).toThrow(/failed 4 times in this run/);
    expect(log.count).toBe(4);
  });

  it('of most episodes of a rollout', async () => {
    const wrong = sabotaged({
      reset: () => {
        throw new Error('no display');
      },
    });
    const log = new FaultLog({ retryDelaySeconds: 0, maxAttempts: 2 });
    await expect(play(wrong, log)).rejects.toThrow(
      /failed 8 of 8 episodes on all of their tries, too many to go on; the last one, in task t\d+: no display/,
    );
  });

  it.each([Number.NaN, 1e39])('of rewards of %d in several tasks, which would all be left out', async (reward) => {
    const bad = (tasksBad: readonly string[]) =>
      sabotaged({ step: (turn, _, task) => (turn.success && tasksBad.includes(task) ? { ...turn, reward } : turn) });
    const ids = tasks.map(({ id }) => id);
    const { episodes } = await playEpisodes(textPlayer(counting, ['add']), bad(ids.slice(0, 2)), tasks, {
      controls,
      firstEpisode: 0,
      faults: new FaultLog({ retryDelaySeconds: 0 }),
    });
    expect(episodes).toHaveLength(tasks.length - 2);
    await expect(
      playEpisodes(textPlayer(counting, ['add']), bad(ids), tasks, {
        controls,
        firstEpisode: 0,
        faults: new FaultLog({ retryDelaySeconds: 0 }),
      }),
    ).rejects.toMatchObject({
      code: 'non-finite',
      message: expect.stringMatching(
        /rewards that cannot be learned from in 3 tasks; the last one, in task t\d+ .*: reward is/,
      ),
    });
  });

  it('waits twice as long after each', () => {
    const log = new FaultLog({ retryDelaySeconds: 0.5, maxAttempts: 20 });
    const wait = (attempt: number) => log.note({ task: tasks[0]!, attempt, step: 0, error: new Error('boom') });
    expect([1, 2, 3, 10].map(wait)).toEqual([0.5, 1, 2, 30]);
  });
});

describe('an interruption', () => {
  it.each([
    ['while a world hangs', sabotaged({ step: (turn, nth) => (nth === 0 ? new Promise(() => {}) : turn) })],
    [
      'while an episode waits to be tried again',
      sabotaged({
        reset: () => {
          throw new Error('boom');
        },
      }),
    ],
  ])('%s ends the rollout at once', async (_, wrong) => {
    const interrupt = new AbortController();
    setTimeout(() => interrupt.abort(), 50);
    const started = performance.now();
    const log = new FaultLog({ stepTimeoutSeconds: 60, retryDelaySeconds: 60 });
    await expect(play(wrong, log, interrupt.signal)).rejects.toMatchObject({ code: 'interrupted' });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

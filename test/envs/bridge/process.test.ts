/** The process bridge: a whole episode, and every way in which a real child process can go wrong. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { LineReader } from '../../../src/envs/bridge/lines.ts';
import { createProcessTaskSet } from '../../../src/envs/bridge/process.node.ts';
import { checkTaskSet } from '../../../src/envs/check.ts';
import type { TaskSet } from '../../../src/envs/environment.ts';
import { FaultLog } from '../../../src/envs/faults.ts';
import { playEpisodes } from '../../../src/rl/rollout.ts';
import { controls, textPlayer } from '../../support/players.ts';
import { untimed } from '../../support/rollouts.ts';

const server = [process.execPath, join(import.meta.dirname, '../../support/envServer.mjs')];
const folder = mkdtempSync(join(tmpdir(), 'proxmo-process-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open: TaskSet[] = [];
async function start(options: Record<string, unknown> = {}, others: Record<string, unknown> = {}): Promise<TaskSet> {
  const set = await createProcessTaskSet({ command: server, options, ...others });
  open.push(set);
  return set;
}
afterEach(async () => {
  for (const set of open.splice(0)) await set.close?.();
});

/** The pid of the process that plays an environment's episode. */
async function pidOf(environment: ReturnType<TaskSet['createEnvironment']>): Promise<number> {
  const { observation } = await environment.step('pid');
  return Number(observation.split(' ')[1]);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function isGone(pid: number): Promise<boolean> {
  for (let wait = 0; wait < 50 && isRunning(pid); wait++) await new Promise((resolve) => setTimeout(resolve, 20));
  return !isRunning(pid);
}

describe('a task set in a process', () => {
  it('is what the process says it is', async () => {
    const set = await start();
    expect(set).toMatchObject({ name: 'counting', types: ['small', 'large'], maxSteps: 8 });
    expect(set.words?.()).toContain('add');
    expect(set.allTasks?.('seen')).toHaveLength(12);
    expect(set.tasks('train', 4, 1).map(({ type }) => type)).toEqual(['large', 'small', 'large', 'small']);
    expect(() => set.tasks('train', 13, 1)).toThrow('the train split has 12 tasks, not 13');
  });

  it('plays an episode, with everything that a task and a turn hold', async () => {
    const set = await start();
    const task = set.tasks('train', 12, 1).find(({ type }) => type === 'small')!;
    const environment = set.createEnvironment();
    expect(await environment.reset(task)).toEqual({
      instruction: 'count to 2.',
      observation: '0 of 2.',
      admissibleActions: ['add', 'wait'],
      reward: 0,
      done: false,
      success: false,
    });
    await environment.step('add');
    const last = await environment.step('add');
    expect(last).toEqual({
      observation: '2 of 2.',
      admissibleActions: null,
      reward: 1,
      done: true,
      success: true,
      score: 1,
      components: { sum: 2 },
    });
    expect(await environment.step('add')).toEqual(last);
    await environment.close?.();
  });

  it('keeps the contract', async () => {
    const report = await checkTaskSet(await start(), { tasks: 3 });
    expect(report.findings.filter(({ holds }) => !holds)).toEqual([]);
  });

  it('gives each episode a process of its own, and uses it again', async () => {
    const set = await start();
    const [task] = set.tasks('train', 1, 1);
    const [first, second] = [set.createEnvironment(), set.createEnvironment()];
    await Promise.all([first.reset(task!), second.reset(task!)]);
    const pids = [await pidOf(first), await pidOf(second)];
    expect(pids[0]).not.toBe(pids[1]);
    await first.close?.();
    const third = set.createEnvironment();
    await third.reset(task!);
    expect(await pidOf(third)).toBe(pids[0]);
  });

  it('seats as many episodes in a process as it can host', async () => {
    const set = await start({ parallel: 2 });
    const [task] = set.tasks('train', 1, 1);
    const environments = [set.createEnvironment(), set.createEnvironment(), set.createEnvironment()];
    for (const environment of environments) await environment.reset(task!);
    const [first, second, third] = [
      await pidOf(environments[0]!),
      await pidOf(environments[1]!),
      await pidOf(environments[2]!),
    ];
    expect(first).toBe(second);
    expect(third).not.toBe(first);
    await environments[0]!.step('add');
    expect((await environments[1]!.step('wait')).observation).toMatch(/^0 of/);
  });

  it('leaves no process behind', async () => {
    const set = await start();
    const environment = set.createEnvironment();
    await environment.reset(set.tasks('train', 1, 1)[0]!);
    const pid = await pidOf(environment);
    await set.close?.();
    expect(await isGone(pid)).toBe(true);
  });

  it('runs a command line, and a shell where the command is one, and ends what that started', async () => {
    expect((await start({}, { command: `"${server[0]}" '${server[1]}'` })).name).toBe('counting');
    const set = await start({}, { command: ['sh', '-c', `cd / && "${server[0]}" "${server[1]}"`] });
    const environment = set.createEnvironment();
    await environment.reset(set.tasks('train', 1, 1)[0]!);
    const pid = await pidOf(environment);
    await set.close?.();
    expect(await isGone(pid)).toBe(true);
  });
});

describe('what is wrong at the start', () => {
  it.each([
    ['nothing to run', {}, 'config', /process: `command` is not set: give the program/],
    ['a line for a shell', { command: 'cd / && x' }, 'config', /which only a shell understands; there is no shell/],
    ['a character that no program can be given', { command: ['x\0'] }, 'config', /command/],
    ['a variable that cannot be one', { command: ['x'], env: { 'A=B': '' } }, 'config', /env/],
    [
      'no such folder',
      { command: server, cwd: '/no/such' },
      'environment',
      /ENOENT\); check the command and its folder/,
    ],
    ['an unknown option', { command: ['x'], colour: 1 }, 'config', /colour/],
    [
      'no such program',
      { command: ['/no/such/program'] },
      'environment',
      /could not be started: there is no such file or folder \(ENOENT\); check the command/,
    ],
    [
      'a program that ends',
      { command: [process.execPath, '-e', 'console.error("no display"); process.exit(4)'] },
      'environment',
      /ended with exit code 4.*no display/s,
    ],
    [
      'a program that says nothing',
      { command: [process.execPath, '-e', 'setInterval(() => {}, 1e6)'], timeoutSeconds: 0.5 },
      'environment',
      /gave no answer to hello within 0.5 s/,
    ],
    [
      'a program that answers hello with something else',
      { command: server, options: { fault: 'wrongSchema', on: 'hello' } },
      'environment',
      /answered hello.*name/,
    ],
    [
      'a program without tasks',
      { command: server, options: { fault: 'error', on: 'tasks' } },
      'environment',
      /reports an error: no more paper/,
    ],
  ])('%s', async (_, options, code, message) => {
    await expect(createProcessTaskSet(options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('faults of a child cost their own step', () => {
  it.each([
    ['exit', /ended with exit code 3.*out of cheese/s],
    ['sigkill', /was ended by SIGKILL/],
    ['hang', /gave no answer to step within 1.5 s/],
    ['stop', /gave no answer to step within 1.5 s/],
    ['notJson', /wrote a line that is not JSON: Hello from the game!/],
    ['halfLine', /ended with exit code 0/],
    ['hugeLine', /wrote a line of more than 16777216 characters/],
    ['wrongId', /answered request 987, which was not asked/],
    ['noAnswer', /wrote a line that is no answer/],
    ['wrongSchema', /answered step with something else than it should: `observation` must be text, not 7\.$/],
    ['misspelt', /`sucess` is not a known key \(did you mean `success`\?\)/],
    ['error', /reports an error: no more paper/],
  ])('%s', async (fault, message) => {
    const set = await start({ fault, task: 'train-0' }, { timeoutSeconds: 1.5 });
    const tasks = set.allTasks!('train');
    const environment = set.createEnvironment();
    await environment.reset(tasks[0]!);
    await expect((async () => environment.step('add'))()).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(message),
    });
    await environment.close?.();
    const next = set.createEnvironment();
    await next.reset(tasks[1]!);
    expect((await next.step('add')).observation).toBe('1 of 5.');
  });

  it('tells of a process that is killed from outside while it is asked', async () => {
    const set = await start({ fault: 'hang' });
    const environment = set.createEnvironment();
    await environment.reset(set.tasks('train', 1, 1)[0]!);
    const other = await start();
    const idle = other.createEnvironment();
    await idle.reset(other.tasks('train', 1, 1)[0]!);
    process.kill(await pidOf(idle), 'SIGKILL');
    await expect((async () => idle.step('add'))()).rejects.toThrow(/SIGKILL/);
    // A hung child is not waited for: closing ends it.
    const asked = Promise.resolve(environment.step('add'));
    const refused = expect(asked).rejects.toThrow(/was given up/);
    await environment.close?.();
    await refused;
  });
});

describe('rollouts', () => {
  it.each(['sigkill', 'hang', 'notJson', 'halfLine', 'wrongSchema', 'earlySuccess', 'error', 'exit'])(
    'play an episode again after: %s',
    async (fault) => {
      const play = async (options: Record<string, unknown>) => {
        const set = await start(options);
        const faults = new FaultLog({ stepTimeoutSeconds: fault === 'hang' ? 2 : 60, retryDelaySeconds: 0.01 });
        const { episodes } = await playEpisodes(
          textPlayer(set, ['add', 'wait']),
          set,
          set.allTasks!('train').slice(0, 4),
          {
            controls,
            firstEpisode: 0,
            faults,
          },
        );
        return { episodes: untimed(episodes), count: faults.count };
      };
      const sound = await play({});
      const faulty = await play({ fault, task: 'train-1', once: join(folder, fault) });
      expect(sound.count).toBe(0);
      expect(faulty.count).toBe(1);
      expect(faulty.episodes.map(({ faults }) => faults)).toEqual([0, 1, 0, 0]);
      const others = <T>(episodes: readonly T[]) => episodes.filter((_, index) => index !== 1);
      expect(others(faulty.episodes)).toEqual(others(sound.episodes));
    },
  );

  it('lose the episode that kills its process, and not those that share it', async () => {
    const set = await start({ fault: 'sigkill', task: 'train-1', parallel: 4 });
    const faults = new FaultLog({ retryDelaySeconds: 0.01, maxAttempts: 3 });
    const { episodes, dropped } = await playEpisodes(
      textPlayer(set, ['add', 'wait']),
      set,
      set.allTasks!('train').slice(0, 4),
      { controls, firstEpisode: 0, faults },
    );
    expect(dropped.map(({ task, faults: count }) => [task.id, count])).toEqual([['train-1', 3]]);
    expect(episodes.map(({ task }) => task.id)).toEqual(['train-0', 'train-2', 'train-3']);
    for (const episode of episodes) expect(episode.faults).toBeLessThanOrEqual(1);
  });

  it('stop when an episode fails every time', async () => {
    const set = await start({ fault: 'sigkill', task: 'train-1' });
    const faults = new FaultLog({ retryDelaySeconds: 0.01, maxAttempts: 2, onFailure: 'stop' });
    await expect(
      playEpisodes(textPlayer(set, ['add']), set, set.allTasks!('train').slice(0, 4), {
        controls,
        firstEpisode: 0,
        faults,
      }),
    ).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(
        /failed an episode on all of its 2 tries .*; the last one, in task train-1 at its start: .* was ended by SIGKILL/,
      ),
    });
  });
});

describe('lines', () => {
  it('come out whole, however the stream was cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string().map((text) => text.replace(/[\r\n]/g, ' '))),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (lines, sizes) => {
          const read: string[] = [];
          const reader = new LineReader(1000, (line) => read.push(line), expect.fail);
          let text = lines.map((line) => `${line}\n`).join('');
          for (const size of sizes) {
            if (text === '') break;
            reader.push(text.slice(0, size));
            text = text.slice(size);
          }
          expect(read).toEqual(lines);
        },
      ),
    );
  });

  it('that are too long are reported once, and nothing after them is read', () => {
    const read: string[] = [];
    let overlong = 0;
    const reader = new LineReader(
      5,
      (line) => read.push(line),
      () => overlong++,
    );
    for (const piece of ['abc\r\n', 'abcd', 'ef', 'g\n', 'x\n']) reader.push(piece);
    expect(read).toEqual(['abc']);
    expect(overlong).toBe(1);
  });
});

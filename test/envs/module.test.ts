/** Environments of users: what a module must be, what is said where it is not, and the example. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkTaskSet } from '../../src/envs/check.ts';
import { anchorEnvironment, createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { syntaxErrorPlace } from '../../src/envs/syntaxPlace.node.ts';
import { proxmo } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-module-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function write(text: string): string {
  const path = join(folder, `env${count++}.mjs`);
  writeFileSync(path, text);
  return path;
}

const readsTypeScript = Boolean((process.features as { typescript?: unknown }).typescript);

describe('a module', () => {
  it('may be TypeScript where Node reads that, and is told apart where it does not', async () => {
    const path = join(folder, 'typed.ts');
    writeFileSync(
      path,
      `type Door = { readonly id: string; readonly type: string };
      export default (options: object, { defineTaskSet }: any) => defineTaskSet({
        name: 'typed',
        maxSteps: 1,
        tasks: [{ id: 'a', type: 'only' }, { id: 'b', type: 'only' }] satisfies Door[],
        instruction: () => 'say yes.',
        *play() {
          return { observation: 'over.', success: (yield { observation: 'well?', actions: ['yes'] }) === 'yes' };
        },
      });`,
    );
    // A process of its own: what runs the tests reads TypeScript anywhere.
    const { code, stdout, stderr } = await proxmo(['env', 'check', path]);
    if (readsTypeScript) expect([code, stdout]).toEqual([0, expect.stringContaining('typed')]);
    else {
      expect(code).toBe(1);
      expect(stderr).toMatch(/typed\.ts is TypeScript, which Node [\d.]+ does not read; use Node 22\.18/);
    }
  });

  it('makes a task set from its options', async () => {
    const path = write(`
      export default (options, { defineTaskSet }) => defineTaskSet({
        name: 'tiny',
        maxSteps: options.maxSteps,
        tasks: [{ id: 'a', type: 'only' }, { id: 'b', type: 'only' }],
        instruction: () => 'say yes.',
        *play() {
          return { observation: 'over.', success: (yield { observation: 'well?', actions: ['yes', 'no'] }) === 'yes' };
        },
      });`);
    const set = await createNamedTaskSet(path, { maxSteps: 3 });
    expect(set).toMatchObject({ name: 'tiny', maxSteps: 3, types: ['only'] });
    expect(set.words!()).toEqual(['no', 'over', 'say', 'well', 'yes']);
  });

  it.each([
    ['is missing', join(folder, 'absent.mjs'), 'file', /There is no environment module .*absent\.mjs/],
    [
      'throws as it is loaded',
      write('let a;\nthrow new Error("no license")'),
      'config',
      /env\d+\.mjs:2:7: the environment module cannot be loaded: Error: no license/,
    ],
    ['exports nothing', write('export const x = 1;'), 'config', /has no function as its default export/],
    ['exports an object', write('export default { name: "x" };'), 'config', /has no function as its default export/],
    [
      'throws as it makes the task set',
      write('export default () => { throw new TypeError("bad\\n option"); };'),
      'config',
      /env\d+\.mjs:1:30: making the task set failed: TypeError: bad option/,
    ],
    ['gives nothing', write('export default () => {};'), 'config', /gives no task set: it is undefined/],
    [
      'gives half a task set',
      write('export default () => ({ name: "x", types: ["a"], maxSteps: 3 });'),
      'config',
      /gives no task set: it has no method tasks/,
    ],
    [
      'has a wrong definition',
      write(
        'export default (_, { defineTaskSet }) => defineTaskSet({ name: "x", maxSteps: 3, tasks: [], instruction() {}, play() {} });',
      ),
      'config',
      /making the task set failed: x: there is no task to train on/,
    ],
    ['is a folder', `${folder}/`, 'config', /cannot be loaded/],
  ])('that %s ends in one sentence', async (_, path, code, message) => {
    const failure = createNamedTaskSet(path);
    await expect(failure).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(failure).rejects.toMatchObject({ message: expect.not.stringContaining('\n') });
  });
});

describe('a file that does not parse', () => {
  const bad = write('let a;\nexport const x = (;\n');

  it('is named with its line, also where the module imports it', async () => {
    expect(await syntaxErrorPlace(bad)).toBe(`${bad}:2`);
    const importing = write(`import { x } from './${basename(bad)}';\nexport default () => x;`);
    expect(await syntaxErrorPlace(importing)).toBe(`${bad}:2`);
    expect(await syntaxErrorPlace(write('export default 1;'))).toBeNull();
    expect(await syntaxErrorPlace(join(folder, 'absent.mjs'))).toBeNull();
  });
});

describe("a module's code", () => {
  /** A module whose task set, environments and expert are as they should be, but for one member. */
  const withMember = (member: string) =>
    createNamedTaskSet(
      write(`
const turn = { observation: 'well?', admissibleActions: ['yes'], reward: 0, done: false, success: false };
const task = (id) => ({ id, type: 'only' });
const base = {
  name: 'bare', types: ['only'], maxSteps: 2,
  tasks: (split, count) => Array.from({ length: count }, (_, i) => task(split + i)),
  createEnvironment: () => ({ reset: () => ({ ...turn, instruction: 'say yes.' }), step: () => turn }),
  createExpert: () => ({ reset() {}, act: () => 'yes' }),
};
const fail = () => {
  throw new TypeError('no\\n lamp');
};
export default () => ({ ...base, ${member} });
`),
    );
  const environment = async (member: string) =>
    (await withMember(`createEnvironment: () => ({ ...base.createEnvironment(), ${member} })`)).createEnvironment();
  const expert = async (member: string) =>
    (await withMember(`createExpert: () => ({ ...base.createExpert(), ${member} })`)).createExpert!();
  const task = { id: 'train0', type: 'only' };
  const turn = { observation: '', admissibleActions: null, reward: 0, done: false, success: false };
  const place = String.raw`env\d+\.mjs:\d+:\d+: `;

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'tasks',
      async () => (await withMember('tasks: fail')).tasks('seen', 3, 1),
      String.raw`tasks\("seen", 3, 1\) failed`,
    ],
    [
      'allTasks',
      async () => (await withMember('allTasks: fail')).allTasks!('seen'),
      String.raw`allTasks\("seen"\) failed`,
    ],
    ['words', async () => (await withMember('words: fail')).words!(), String.raw`words\(\) failed`],
    ['solution', async () => (await withMember('solution: fail')).solution!(task), 'solution of task train0 failed'],
    [
      'createEnvironment',
      async () => (await withMember('createEnvironment: fail')).createEnvironment(),
      String.raw`createEnvironment\(\) failed`,
    ],
    [
      'createExpert',
      async () => (await withMember('createExpert: fail')).createExpert!(),
      String.raw`createExpert\(\) failed`,
    ],
    ['close', async () => (await withMember('close: fail')).close!(), String.raw`close\(\) failed`],
    ['reset', async () => (await environment('reset: fail')).reset(task), 'reset failed'],
    ['step', async () => (await environment('step: fail')).step('yes'), String.raw`step\("yes"\) failed`],
    [
      'a promise',
      async () => (await environment('step: async () => fail()')).step('yes'),
      String.raw`step\("yes"\) failed`,
    ],
    ['the end', async () => (await environment('close: async () => fail()')).close!(), String.raw`close\(\) failed`],
    ['the expert', async () => (await expert('act: fail')).act(turn), "the expert's act failed"],
    ['the expert at its start', async () => (await expert('reset: fail')).reset('go'), "the expert's reset failed"],
  ])('that throws is told with file, line and what was called: %s', async (_, call, what) => {
    await expect(call()).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(new RegExp(`${place}${what}: TypeError: no lamp$`)),
    });
  });

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'no tasks',
      async () => (await withMember('tasks: () => {}')).tasks('seen', 3, 1),
      'tasks("seen", 3, 1) gives undefined, not a list of tasks.',
    ],
    [
      'tasks to come',
      async () => (await withMember('tasks: async () => []')).tasks('seen', 3, 1),
      'tasks("seen", 3, 1) gives a promise, not a list of tasks.',
    ],
    [
      'no words',
      async () => (await withMember('words: () => [3]')).words!(),
      'words() gives [3], not a list of words.',
    ],
    [
      'no parts of a page',
      async () => (await withMember('pointers: { words: [], parts: () => [{}] }')).pointers!.parts('a page', null),
      'pointers.parts gives [{}], not a list of parts, each with its text.',
    ],
    [
      'no environment',
      async () => (await withMember('createEnvironment: () => null')).createEnvironment(),
      'createEnvironment() gives null, not an environment, with reset and step.',
    ],
    [
      'no expert',
      async () => (await withMember('createExpert: () => ({})')).createExpert!(),
      'createExpert() gives {}, not a player, with reset and act.',
    ],
    ['no action', async () => (await expert('act() {}')).act(turn), "the expert's act gives undefined, not an action."],
    [
      'a solution of numbers',
      async () => (await withMember('solution: () => [1]')).solution!(task),
      'solution of task train0 gives [1], not a list of actions, nor null.',
    ],
  ])('that gives something else than it should is told so: %s', async (_, call, message) => {
    await expect(call()).rejects.toMatchObject({ code: 'environment', message: expect.stringContaining(message) });
  });

  it('may give its lists bit by bit, of which no more is taken than is asked for', async () => {
    const set = await withMember('*tasks() { for (let i = 0; ; i++) yield task("t" + i); }, *words() { yield "yes"; }');
    expect(set.tasks('train', 3, 1).map(({ id }) => id)).toEqual(['t0', 't1', 't2']);
    expect(set.words!()).toEqual(['yes']);
  });

  it('that throws an error in words of its own is quoted', async () => {
    const failure = createNamedTaskSet(
      write(
        `export default (_, { defineTaskSet, ProxmoError }) => { throw new ProxmoError('config', 'set a colour.'); }`,
      ),
    );
    await expect(failure).rejects.toThrow(/making the task set failed: set a colour\.$/);
  });
});

describe('names', () => {
  it('that do not exist are refused, with the one that was meant', async () => {
    await expect(createNamedTaskSet('houshold')).rejects.toMatchObject({
      code: 'config',
      message:
        'There is no environment houshold (did you mean household?); choose one of household, alfworld, webshop, process, http, or give the path of a module, as ./my-env.mjs.',
    });
    await expect(createNamedTaskSet('toString')).rejects.toMatchObject({ code: 'config' });
  });

  it('are anchored to the folder that they were given in', () => {
    const anchor = (name: string, options = {}) => anchorEnvironment({ name, options, seed: 1 });
    expect(anchor('./my-env.mjs')).toEqual({ name: resolve('my-env.mjs'), options: {}, seed: 1 });
    expect(anchor('household', { data: 'x' })).toEqual({ name: 'household', options: { data: 'x' }, seed: 1 });
    expect(anchor('alfworld', { data: 'x', maxSteps: 3 }).options).toEqual({ data: resolve('x'), maxSteps: 3 });
    expect(anchor('process', { command: ['x'] }).options).toEqual({ command: ['x'], cwd: resolve('.') });
  });
});

describe('examples/my-env.mjs', () => {
  it('keeps the contract', async () => {
    const set = await createNamedTaskSet(join(import.meta.dirname, '../../examples/my-env.mjs'));
    expect((await checkTaskSet(set)).findings.filter(({ holds }) => !holds)).toEqual([]);
  });
});

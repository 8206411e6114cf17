/** Environments of users: what a module must be, what is said where it is not, and the example. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkTaskSet } from '../../src/envs/check.ts';
import { anchorEnvironment, createNamedTaskSet } from '../../src/envs/registry.node.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-module-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function write(text: string): string {
  const path = join(folder, `env${count++}.mjs`);
  writeFileSync(path, text);
  return path;
}

describe('a module', () => {
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
    ['does not parse', write('export default ('), 'config', /cannot be loaded: /],
    ['throws as it is loaded', write('throw new Error("no license")'), 'config', /cannot be loaded: Error: no license/],
    ['exports nothing', write('export const x = 1;'), 'config', /has no function as its default export/],
    ['exports an object', write('export default { name: "x" };'), 'config', /has no function as its default export/],
    [
      'throws as it makes the task set',
      write('export default () => { throw new TypeError("bad\\n option"); };'),
      'config',
      /making the task set failed: TypeError: bad option/,
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
      write('export default (_, { defineTaskSet }) => defineTaskSet({ name: "x", maxSteps: 3, tasks: [] });'),
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

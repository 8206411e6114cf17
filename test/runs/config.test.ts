import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { ProxmoError } from '../../src/base/errors.ts';
import { nearestKey } from '../../src/base/nearestKey.ts';
import { type ConfigSources, loadConfig } from '../../src/runs/config.ts';

const schema = z.object({
  seed: z.int().default(1),
  name: z.string(),
  optimizer: z
    .object({
      learningRate: z.number().positive().default(1e-3),
      betas: z.tuple([z.number(), z.number()]).default([0.9, 0.999]),
      schedule: z.enum(['constant', 'linear', 'cosine']).default('constant'),
    })
    .prefault({}),
  method: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('grpo') }),
      z.object({ kind: z.literal('proxmo'), temperature: z.number().default(0.1) }),
    ])
    .default({ kind: 'grpo' }),
  history: z.union([z.int(), z.literal('all')]).default(2),
  tasks: z.array(z.strictObject({ id: z.string(), weight: z.number().max(1).optional() })).default([]),
  labels: z.record(z.string(), z.string()).default({}),
  extra: z.unknown().optional(),
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxmo-config-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function yaml(text: string): Promise<string> {
  const path = join(folder, 'config.yaml');
  await writeFile(path, text);
  return path;
}

/** The lines of the error that the sources end in, with the folder left out. */
async function problems(sources: ConfigSources): Promise<string[]> {
  const error = await loadConfig(schema, sources).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ProxmoError);
  return (error as ProxmoError).message.replaceAll(`${folder}/`, '').split('\n');
}

describe('sources', () => {
  test('assignments go over the file, the file over the preset, the preset over the defaults', async () => {
    const config = await loadConfig(schema, {
      preset: { name: 'preset', seed: 2, optimizer: { learningRate: 0.1, schedule: 'linear' }, labels: { a: 'x' } },
      file: await yaml('seed: 3\noptimizer:\n  learningRate: 0.2\nlabels: { b: y }'),
      set: ['optimizer.learningRate=3e-4', 'method.kind=proxmo'],
    });
    expect(config).toEqual({
      seed: 3,
      name: 'preset',
      optimizer: { learningRate: 3e-4, betas: [0.9, 0.999], schedule: 'linear' },
      method: { kind: 'proxmo', temperature: 0.1 },
      history: 2,
      tasks: [],
      labels: { a: 'x', b: 'y' },
    });
  });

  test('values of assignments are YAML, and the last of several counts', async () => {
    const set = [
      'name=a=b',
      'optimizer.betas=[0.5, 0.6]',
      'seed=1',
      'seed=2',
      'extra=null',
      'labels.x="7"',
      'history=all',
    ];
    expect(await loadConfig(schema, { set })).toMatchObject({
      name: 'a=b',
      optimizer: { betas: [0.5, 0.6] },
      seed: 2,
      extra: null,
      labels: { x: '7' },
      history: 'all',
    });
  });

  test('lists are replaced whole, and a preset stays as it was', async () => {
    const preset = { name: 'x', tasks: [{ id: 'a' }, { id: 'b' }], labels: {} };
    const before = structuredClone(preset);
    expect(await loadConfig(schema, { preset, set: ['tasks=[{id: c}]', 'labels.a=b'] })).toMatchObject({
      tasks: [{ id: 'c' }],
    });
    expect(preset).toEqual(before);
  });

  test('an empty file changes nothing', async () => {
    expect(await loadConfig(schema, { preset: { name: 'x' }, file: await yaml('# nothing\n') })).toMatchObject({
      name: 'x',
      seed: 1,
    });
  });
});

describe('unknown keys', () => {
  test('are refused at any depth, with their place and the key that was meant', async () => {
    const file = await yaml('name: x\noptimiser:\n  learningRate: 1\ntasks:\n  - id: a\n    wieght: 1\n');
    const set = ['optimizer.learning_rate=1', 'method.temprature=1', 'method.kind=proxmo'];
    expect(await problems({ file, preset: { sead: 1 }, set })).toEqual([
      '`sead` (the preset) is not a known key; did you mean `seed`?',
      '`optimiser` (config.yaml line 2) is not a known key; did you mean `optimizer`?',
      '`tasks.0.wieght` (config.yaml line 6) is not a known key; did you mean `tasks.0.weight`?',
      '`optimizer.learning_rate` (--set optimizer.learning_rate=1) is not a known key; did you mean `optimizer.learningRate`?',
      '`method.temprature` (--set method.temprature=1) is not a known key; did you mean `method.temperature`?',
    ]);
  });

  test('in the wrong place are told the right one', async () => {
    expect(await problems({ set: ['name=x', 'learningRate=1'] })).toEqual([
      '`learningRate` (--set learningRate=1) is not a known key; did you mean `optimizer.learningRate`?',
    ]);
  });

  test('like no other are told all that are known', async () => {
    expect(await problems({ set: ['name=x', 'optimizer.zzzzzzzz=1'] })).toEqual([
      '`optimizer.zzzzzzzz` (--set optimizer.zzzzzzzz=1) is not a known key; known here: learningRate, betas, schedule.',
    ]);
  });

  test('of a variant that was not chosen are told whose they are', async () => {
    const set = ['name=x', 'method.kind=grpo'];
    expect(await problems({ set: [...set, 'method.temperature=1'] })).toEqual([
      '`method.temperature` (--set method.temperature=1) is a key of kind proxmo, not of grpo; known here: kind.',
    ]);
    expect(await problems({ set: [...set, 'method.TEMPERATURE=1'] })).toEqual([
      '`method.TEMPERATURE` (--set method.TEMPERATURE=1) is not a known key; known here: kind.',
    ]);
  });

  test('are fine where the schema takes any key', async () => {
    expect(await loadConfig(schema, { set: ['name=x', 'labels.whatever=a', 'extra.a.b=1'] })).toMatchObject({
      extra: { a: { b: 1 } },
    });
  });

  test('with names of the language are unknown like others', async () => {
    for (const key of ['__proto__.polluted', 'constructor.polluted', 'optimizer.toString']) {
      expect((await problems({ set: ['name=x', `${key}=1`] }))[0]).toContain('is not a known key');
    }
    expect('polluted' in {}).toBe(false);
  });

  test('are found in schemas that contain themselves', async () => {
    const tree = z.object({
      label: z.string(),
      get children() {
        return z.array(tree).optional();
      },
    });
    const preset = { label: 'a', children: [{ label: 'b', children: [{ lable: 'c', label: 'c' }] }] };
    await expect(loadConfig(tree, { preset })).rejects.toThrow(
      '`children.0.children.0.lable` (the preset) is not a known key',
    );
  });
});

describe('values that do not fit', () => {
  test('are told all at once, a line each', async () => {
    const file = await yaml(
      'seed: 1.5\noptimizer:\n  learningRate: abc\n  betas: 3\n  schedule: cosin\nhistory: most\ntasks: [{ id: 1, weight: 2 }]\n',
    );
    expect(await problems({ file, preset: { method: { kind: 'ppo' } }, set: ['labels.a=1', 'nmae=x'] })).toEqual([
      '`nmae` (--set nmae=x) is not a known key; did you mean `name`?',
      '`seed` (config.yaml line 1) must be a whole number, not 1.5.',
      '`name` is not set; it must be text.',
      '`optimizer.learningRate` (config.yaml line 3) must be a number, not "abc".',
      '`optimizer.betas` (config.yaml line 4) must be a list, not 3.',
      '`optimizer.schedule` (config.yaml line 5) must be "constant" or "linear" or "cosine", not "cosin"; did you mean "cosine"?',
      '`method.kind` (the preset) must be "grpo" or "proxmo", not "ppo".',
      '`history` (config.yaml line 6) must be a number or "all", not "most".',
      '`tasks.0.id` (config.yaml line 7) must be text, not 1.',
      '`tasks.0.weight` (config.yaml line 7) must be at most 1, not 2.',
      '`labels.a` (--set labels.a=1) must be text, not 1.',
    ]);
  });

  test('limits, null and groups in place of values', async () => {
    expect(
      await problems({ set: ['name=null', 'optimizer.learningRate=0', 'seed.a=1', 'optimizer.betas=[1]'] }),
    ).toEqual([
      '`seed` (--set seed.a=1) must be a number, not {"a":1}.',
      '`name` (--set name=null) must be text, not null.',
      '`optimizer.learningRate` (--set optimizer.learningRate=0) must be more than 0, not 0.',
      '`optimizer.betas` (--set optimizer.betas=[1]) must be a list of at least 2, not [1].',
    ]);
  });

  test("a schema's own checks speak for themselves", async () => {
    const even = z.object({ size: z.number().refine((size) => size % 2 === 0, 'an even number is needed') });
    await expect(loadConfig(even, { set: ['size=3'] })).rejects.toThrow(
      '`size` (--set size=3) is 3: an even number is needed.',
    );
  });
});

describe('files and assignments that cannot be read', () => {
  test.each([
    ['seed', '--set seed is not an assignment'],
    ['=1', '--set =1 is not an assignment'],
    ['a..b=1', '--set a..b=1 is not an assignment'],
    ['name=[1', '--set name=[1 is not valid YAML'],
  ])('--set %s', async (assignment, message) => {
    expect((await problems({ set: [assignment] }))[0]).toContain(message);
  });

  test.each([
    ['a list', '- 1\n', 'config.yaml holds no keys'],
    ['broken YAML', 'seed: 1\nname: [x\n', 'config.yaml line 2 is not valid YAML'],
    ['a key twice', 'seed: 1\nseed: 2\n', 'config.yaml line 2 is not valid YAML (Map keys must be unique)'],
    [
      'aliases that multiply',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefgh'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefg'[i]}`)}]`).join('\n')}\n`,
      'config.yaml refers to itself too often',
    ],
  ])('a file with %s', async (_, text, message) => {
    expect((await problems({ file: await yaml(text) }))[0]).toContain(message);
  });

  test('a file that is not there', async () => {
    await expect(loadConfig(schema, { file: join(folder, 'none.yaml') })).rejects.toMatchObject({ code: 'file' });
  });

  test('any assignment gives a configuration or a ProxmoError', async () => {
    const keys = fc.constantFrom(
      'seed',
      'optimizer',
      'optimizer.learningRate',
      'method.kind',
      'tasks',
      '__proto__',
      'extra.x',
      '',
    );
    const value = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom('!!binary x', '*a', '&a', '{', '- x', '? y', '.nan', '<<: 1'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(keys, value), { maxLength: 3 }), async (pairs) => {
        const set = ['name=x', ...pairs.map((pair) => pair.join('='))];
        const outcome = await loadConfig(schema, { set }).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ProxmoError);
      }),
      { numRuns: 300 },
    );
  });
});

test('nearestKey finds what was meant, or nothing', () => {
  const keys = ['seed', 'learningRate', 'optimizer', 'lr'];
  expect(nearestKey('sede', keys)).toBe('seed');
  expect(nearestKey('LEARNING_RATE', keys)).toBe('learningRate');
  expect(nearestKey('rl', keys)).toBe('lr');
  expect(nearestKey('xyz', keys)).toBeUndefined();
  expect(nearestKey('seed', [])).toBeUndefined();
});

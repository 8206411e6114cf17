/** `proxmo config`: settings that are listed and explained, the schema, and names from elsewhere. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Ajv from 'ajv';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { exampleArguments } from '../../src/cli/config/describe.ts';
import { SettingList } from '../../src/cli/config/settings.ts';
import { newRunConfig } from '../../src/cli/newConfig.ts';
import { environmentEntries } from '../../src/envs/registry.node.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { configSchema } from '../../src/rl/configSchema.node.ts';
import { presets } from '../../src/rl/presets.ts';
import { sftConfigSchema } from '../../src/rl/sft/config.ts';
import { loadConfig } from '../../src/runs/config.ts';
import { proxmo } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const list = new SettingList();
const forms = list.settings.flatMap((setting) =>
  setting.forms.map((form) => [`${setting.key} ${form.of.join(' ')}`.trim(), setting.key, form, setting] as const),
);
/** What follows `--set` in an example. */
const assignmentsOf = (...example: Parameters<typeof exampleArguments>) =>
  exampleArguments(...example)
    .filter((word) => word !== '--set')
    .map((word) => word.replace(/^'(.*)'$/, '$1').replaceAll("'\\''", "'"));

describe('every setting', () => {
  it.each(forms)('%s is described, with an example that is accepted', async (_, key, form, setting) => {
    expect(form.description).toMatch(/^[A-Z`].*[.)?]$/s);
    const set = assignmentsOf(setting, form);
    const config = await loadConfig(trainConfigSchema, { set });
    const { name, options } = config.environment;
    const entry = environmentEntries.find((each) => each.name === name);
    // Options that it cannot do without are named by an example of theirs.
    if (key.startsWith('environment.options.') && !['http', 'process'].includes(name))
      expect(entry?.options.safeParse(options).error?.issues ?? []).toEqual([]);
    const value = key.split('.').reduce<unknown>((group, part) => (group as Record<string, unknown>)[part], config);
    expect(value).toBeDefined();
  });

  it('has the default that it is said to have', () => {
    const config = trainConfigSchema.parse({}) as Record<string, unknown>;
    for (const [, key, form] of forms) {
      const isOfOther = form.of.length > 0 || /^(lora|loss\.policy|training\.taskSampler)\./.test(key);
      if (form.default === undefined || isOfOther) continue;
      const value = key.split('.').reduce<unknown>((group, part) => (group as Record<string, unknown>)[part], config);
      if (form.presetDefaults === undefined) expect([key, value]).toEqual([key, form.default]);
    }
    const adapters = trainConfigSchema.parse({ model: 'x', lora: {} }).lora;
    expect(adapters).toMatchObject({ rank: 16, alpha: 32, targets: 'all-linear', rankStabilised: false });
  });
});

describe('every setting of proxmo sft', () => {
  const { settings } = new SettingList('sft');

  it.each(settings.map((setting) => [setting.key, setting] as const))(
    '%s is described, with an example that is accepted',
    async (_, setting) => {
      for (const form of setting.forms) {
        expect(form.description).toMatch(/^[A-Z`].*[.)?]$/s);
        const preset = { model: 'x', data: { path: 'x' } };
        const set = assignmentsOf(setting, form);
        await expect(loadConfig(sftConfigSchema, { preset, set })).resolves.toBeDefined();
      }
    },
  );

  it('is told apart from that of proxmo train', async () => {
    const explain = async (...words: string[]) => (await proxmo(['config', 'explain', ...words])).stdout;
    expect(await explain('training.epochs', '--for', 'sft')).toContain('Passes over the chats.');
    expect(await explain('training.epochs')).toContain("Passes over an iteration's turns.");
    expect(await explain('data.heldOut')).toMatch(/held out.*proxmo sft --set data.heldOut/s);
    const wrong = loadConfig(sftConfigSchema, { preset: { model: 'x', data: { path: 'x' } }, set: ['lr=1'] });
    await expect(wrong).rejects.toThrow('`training.learningRate`');
  });
});

describe('the schema', () => {
  const validate = new Ajv({
    strict: true,
    strictTuples: false,
    strictRequired: false,
    formats: { uri: true },
  }).compile(configSchema());

  it.each(Object.keys(presets))('accepts what the preset %s comes to', async (name) => {
    const set = 'lora' in presets[name as keyof typeof presets] ? ['model=some-model'] : [];
    const config = JSON.parse(JSON.stringify(await newRunConfig(name, { set })));
    expect(validate(config), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['an unknown key', { sede: 1 }],
    ['an unknown key in a group', { training: { lr: 1 } }],
    ['a number out of range', { training: { groupSize: 0 } }],
    ['an option of another estimator', { advantages: { estimator: 'grpo', gamma: 0.9 } }],
    ['an option of another environment', { environment: { name: 'household', options: { goals: 'human' } } }],
    ['an option that the default environment does not have', { environment: { options: { goals: 'human' } } }],
  ])('refuses %s', (_, config) => expect(validate(config)).toBe(false));

  it.each<[string, unknown]>([
    ['nothing', {}],
    ["ProxMO's options where no estimator is named", { advantages: { psc: false } }],
    ['options of an environment', { environment: { name: 'webshop', options: { goals: 'synthetic' } } }],
    ["options of one's own module", { environment: { name: './my-env.mjs', options: { whatever: 1 } } }],
    ['no adapters', { lora: null }],
  ])('accepts %s', (_, config) => expect(validate(config), JSON.stringify(validate.errors)).toBe(true));
});

describe('proxmo config', () => {
  it('lists settings below a prefix', async () => {
    const { stdout } = await proxmo(['config', 'list', 'loss.kl']);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ['loss.klCoefficient', '0.01'],
      ['loss.klEstimator', 'k3'],
      [''],
    ]);
    const { stdout: json } = await proxmo(['config', 'list', '--json']);
    const all = JSON.parse(json) as { key: string; forms: { default?: unknown }[] }[];
    expect(all.find(({ key }) => key === 'training.groupSize')?.forms[0]).toMatchObject({ default: 8, minimum: 1 });
    expect(all.some(({ key }) => key.startsWith('environment.options.'))).toBe(false);
  });

  it('explains a setting', async () => {
    const { stdout } = await proxmo(['config', 'explain', 'training.learningRate']);
    expect(stdout).toContain('Learning rate of AdamW');
    expect(stdout).toMatch(/value +number above 0/);
    expect(stdout).toMatch(/default +0\.0005/);
    expect(stdout).toMatch(/presets +small: 0\.001; paper, pretrained: 0\.00001/);
    expect(stdout).toMatch(/example +proxmo train --set training\.learningRate=0\.001\n/);
  });

  it.each([
    ['trainig.groupSiz', 'training.groupSize'],
    ['lr', 'training.learningRate'],
    ['group_size', 'training.groupSize'],
    ['estimator', 'advantages.estimator'],
  ])('suggests a setting for %s', async (key, meant) => {
    const { code, stderr } = await proxmo(['config', 'explain', key]);
    expect([code, stderr]).toEqual([2, `proxmo: There is no setting ${key}; did you mean ${meant}?\n`]);
  });

  it('writes a preset as a file that names its schema, and overwrites nothing', async () => {
    const file = join(folder, 'my.yaml');
    expect((await proxmo(['config', 'write', file, '--preset', 'paper', '--set', 'seed=7'])).code).toBe(0);
    const text = readFileSync(file, 'utf8');
    expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./config.schema.json');
    expect(JSON.parse(readFileSync(join(folder, 'config.schema.json'), 'utf8'))).toEqual(configSchema());
    expect(parse(text)).toMatchObject({ seed: 7, training: presets.paper.training });
    expect((await proxmo(['config', 'write', file])).stderr).toMatch(/my\.yaml exists already/);
    expect(readFileSync(file, 'utf8')).toBe(text);
    writeFileSync(join(folder, 'config.schema.json'), '{"mine":1}');
    expect((await proxmo(['config', 'write', join(folder, 'other.yaml')])).stderr).toMatch(/is something else/);
    expect(existsSync(join(folder, 'other.yaml'))).toBe(false);
    expect(readFileSync(join(folder, 'config.schema.json'), 'utf8')).toBe('{"mine":1}');
  });

  it.each([
    [['train', '--lr', '1e-4'], 'train has no option --lr; did you mean --set training.learningRate=VALUE?'],
    [['train', '--estimator=grpo'], 'train has no option --estimator; did you mean --set advantages.estimator=VALUE?'],
    [['train', '--batch-size', '8'], 'train has no option --batch-size; did you mean --set training.tasks=VALUE?'],
    [['advantages', 'x.jsonl', '--gamma', '1'], 'advantages has no option --gamma; did you mean --set gamma=VALUE?'],
  ])('%j is told the setting that is meant', async (args, message) => {
    expect(await proxmo(args)).toEqual({ code: 2, stdout: '', stderr: `proxmo: ${message}\n` });
  });
});

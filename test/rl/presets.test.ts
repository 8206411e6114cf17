import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { presetDescriptions, presets } from '../../src/rl/presets.ts';
import { loadConfig } from '../../src/runs/config.ts';

it('the example for two cores is a small run of the preset smollm2', async () => {
  const file = join(import.meta.dirname, '..', '..', 'examples', 'smollm2-cpu.yaml');
  const { warmStart, training, prompt } = await loadConfig(trainConfigSchema, {
    preset: presets.smollm2,
    file,
    set: ['model=x'],
  });
  expect([warmStart.tasks, training.iterations, prompt.memory]).toEqual([200, 3, 'transcript']);
  expect(training.tasks).toBeLessThan(presets.smollm2.training.tasks);
});

describe('presets', () => {
  it('are all described', () => {
    expect(Object.keys(presetDescriptions)).toEqual(Object.keys(presets));
  });

  it.each(Object.entries(presets))('%s is a configuration', (_name, preset) => {
    // Adapters need a model, which its user names.
    const model = 'lora' in preset ? { model: 'some-model' } : {};
    const { lora: _, ...settings } = { lora: null, ...preset };
    expect(trainConfigSchema.parse({ ...preset, ...model })).toMatchObject(settings);
  });

  it.each(Object.entries(presets))("%s takes an estimator of one's own", async (_name, preset) => {
    const set = ['advantages.estimator=own', 'advantages.name=mine', ...('lora' in preset ? ['model=x'] : [])];
    const { advantages } = await loadConfig(trainConfigSchema, { preset, set });
    expect(advantages).toEqual({
      estimator: 'own',
      name: 'mine',
      options: {},
      invalidPenalty: 0.1,
      returnUnit: 'reward',
    });
  });
});

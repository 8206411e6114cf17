import { describe, expect, it } from 'vitest';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { presetDescriptions, presets } from '../../src/rl/presets.ts';

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
});

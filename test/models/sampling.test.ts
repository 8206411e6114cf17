/** How the makers of a model sample, from its own files. */
import { expect, it } from 'vitest';
import { GgufMetadata } from '../../src/models/gguf/metadata.ts';
import { ggufSampling } from '../../src/models/gguf/sampling.ts';
import { samplingOfConfig } from '../../src/models/sampling.ts';

it('is what generation_config.json sets, and nothing besides', () => {
  const from = 'generation_config.json';
  const qwen = { do_sample: true, temperature: 0.7, top_p: 0.8, top_k: 20, repetition_penalty: 1.1, eos_token_id: [1] };
  expect(samplingOfConfig(qwen, 'here')).toEqual({
    temperature: 0.7,
    topP: 0.8,
    topK: 20,
    unsupported: ['repetition_penalty 1.1'],
    from,
  });
  expect(samplingOfConfig({ top_k: null, min_p: 0, repetition_penalty: 1, num_beams: 1 }, 'here')).toEqual({
    unsupported: [],
    from,
  });
  expect(samplingOfConfig(undefined, 'here')).toEqual({ unsupported: [], from });
});

it('is the likeliest token where they do not sample', () => {
  expect(samplingOfConfig({ do_sample: false, temperature: 0.6, top_p: 0.9 }, 'here')).toMatchObject({
    temperature: 0,
  });
});

it.each([
  [{ temperature: -1 }, 'here is not what it should be: `temperature`'],
  [{ top_p: 0 }, '`top_p`'],
  [{ top_k: 1.5 }, '`top_k`'],
  [[], 'here is not what it should be'],
])('%j is refused', (config, message) => {
  expect(() => samplingOfConfig(config, 'here')).toThrow(message);
});

it('is in the metadata of a GGUF file', () => {
  const metadata = new GgufMetadata(
    new Map<string, unknown>([
      ['general.sampling.temp', Math.fround(0.6)],
      ['general.sampling.top_p', Math.fround(0.95)],
      ['general.sampling.top_k', 20],
      ['general.sampling.min_p', Math.fround(0.05)],
    ]),
    'here',
  );
  expect(ggufSampling(metadata)).toEqual({
    temperature: 0.6,
    topP: 0.95,
    topK: 20,
    unsupported: ['min_p 0.05'],
    from: 'the GGUF file',
  });
});

/**
 * Rotary angles; those of each kind of scaling are also compared with PyTorch's, through whole models, in
 * test/cli/model.test.ts.
 */
import { describe, expect, it } from 'vitest';
import type { RopeScaling, TransformerConfig } from '../../src/models/transformerConfig.ts';
import { queryScale, rotaryFrequencies, rotaryScale } from '../../src/nn/decoderRope.ts';

const config: TransformerConfig = {
  vocabSize: 10,
  dModel: 16,
  layers: 2,
  heads: 2,
  kvHeads: 1,
  headDim: 16,
  dFf: 32,
  ropeTheta: 10_000,
  tiedHead: true,
  normEpsilon: 1e-6,
};
const scaled = (ropeScaling: RopeScaling, ropeTheta = 10_000) =>
  rotaryFrequencies({ ...config, ropeTheta, ropeScaling });
const plain = rotaryFrequencies(config);

describe('angles', () => {
  it('fall from 1 to nearly 1 / theta', () => {
    expect(plain[0]).toBe(1);
    expect(plain[4]).toBeCloseTo(0.01, 12);
  });

  it('are zero where positions are learned', () => {
    expect([...rotaryFrequencies({ ...config, ropeTheta: 0, positions: 'learned' })]).toEqual(new Array(8).fill(0));
  });

  it('are all divided by linear scaling, and by none of dynamic scaling', () => {
    expect(scaled({ kind: 'linear', factor: 4 })).toEqual(plain.map((frequency) => frequency / 4));
    expect(scaled({ kind: 'dynamic' })).toEqual(plain);
  });

  it("are divided by Llama 3's where they are slow, with a blend between", () => {
    const scaling = {
      kind: 'llama3',
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalPositions: 1024,
    } as const;
    const ratios = scaled(scaling).map((frequency, pair) => plain[pair]! / frequency);
    const turns = plain.map((frequency) => (1024 * frequency) / (2 * Math.PI));
    for (const [pair, ratio] of ratios.entries()) {
      if (turns[pair]! > 4) expect(ratio).toBeCloseTo(1, 12);
      else if (turns[pair]! < 1) expect(ratio).toBeCloseTo(8, 12);
      else expect(ratio > 1 && ratio < 8).toBe(true);
    }
    expect(ratios.some((ratio) => ratio > 1 && ratio < 8)).toBe(true);
  });

  it('keep fast turns and divide slow ones under YaRN, with a ramp between', () => {
    const yarn = {
      kind: 'yarn',
      factor: 4,
      originalPositions: 4096,
      betaFast: 32,
      betaSlow: 1,
      attentionFactor: 1,
      truncate: true,
    } as const;
    const ratios = [...scaled(yarn).map((frequency, pair) => plain[pair]! / frequency)];
    expect(ratios[0]).toBe(1);
    expect(ratios.at(-1)).toBeCloseTo(4, 12);
    expect(ratios).toEqual([...ratios].sort((a, b) => a - b));
  });
});

it("scales queries by YaRN's factor twice, and as GPT-2's options say", () => {
  const yarn = {
    kind: 'yarn',
    factor: 4,
    originalPositions: 64,
    betaFast: 32,
    betaSlow: 1,
    attentionFactor: 1.5,
    truncate: true,
  } as const;
  expect(queryScale(config, 1)).toBe(1);
  expect(queryScale({ ...config, ropeScaling: yarn }, 1)).toBe(1);
  expect(rotaryScale({ ...config, ropeScaling: yarn }, 1)).toBe(2.25);
  expect(rotaryScale({ ...config, ropeScaling: yarn, layerForms: [{}, { ropeTheta: 100 }] }, 1)).toBe(1);
  expect(queryScale({ ...config, scoreScale: 1 }, 1)).toBe(4);
  expect(queryScale({ ...config, layerScaledScores: true }, 1)).toBe(0.5);
});

/**
 * The metadata that a GGUF file has of a model's sizes: what `config.ts` reads, the other way round. What llama.cpp
 * cannot compute is refused, as a file that says it would be read as another model.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { HfModel } from '../hf/config.ts';
import type { HfFamily } from '../hf/families.ts';
import type { RopeScaling, TransformerConfig } from '../transformerConfig.ts';
import type { GgufFamily } from './config.ts';
import type { GgufEntries, GgufEntry } from './encode.ts';
import { llama3Factors } from './ropeFactors.ts';
import { longFactorsNames, ropeFactorsName } from './weights.ts';

/** The architecture under which llama.cpp has a family. */
export const architectureOf: Readonly<Record<HfFamily, GgufFamily>> = {
  gpt2: 'gpt2',
  llama: 'llama',
  mistral: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  smollm3: 'smollm3',
  phi3: 'phi3',
  gemma3_text: 'gemma3',
};

/** What stands in a file beside the weights. */
export interface GgufSizes {
  readonly entries: GgufEntries;
  /** Tensors that are part of the configuration. */
  readonly tables: ReadonlyMap<string, Float32Array>;
}

type Numbers = Readonly<Record<string, number | undefined>>;

/** @throws {ProxmoError} `config` if llama.cpp has no such model */
export function ggufSizes({ family, transformer }: HfModel): GgufSizes {
  const architecture = architectureOf[family];
  const refusal = refusalOf(family, transformer);
  if (refusal !== null) {
    throw new ProxmoError(
      'config',
      `a ${family} model with ${refusal} has no GGUF form that llama.cpp computes; export it as a Hugging Face folder.`,
    );
  }
  const { counts, numbers, texts } = family === 'gpt2' ? gpt2Sizes(transformer) : llamaSizes(family, transformer);
  const entries = new Map<string, GgufEntry>([['general.architecture', { kind: 'text', value: architecture }]]);
  const add = (kind: 'uint32' | 'float32', values: Numbers) => {
    for (const [name, value] of Object.entries(values))
      if (value !== undefined) entries.set(`${architecture}.${name}`, { kind, value });
  };
  add('uint32', counts);
  add('float32', numbers);
  for (const [name, value] of Object.entries(texts)) entries.set(`${architecture}.${name}`, { kind: 'text', value });
  return { entries, tables: tablesOf(transformer) };
}

interface Sizes {
  readonly counts: Numbers;
  readonly numbers: Numbers;
  readonly texts: Readonly<Record<string, string>>;
}

function commonCounts({ maxPositions, dModel, layers, dFf, heads }: TransformerConfig): Numbers {
  return {
    context_length: maxPositions ?? 2048,
    embedding_length: dModel,
    block_count: layers,
    feed_forward_length: dFf,
    'attention.head_count': heads,
  };
}

function gpt2Sizes(transformer: TransformerConfig): Sizes {
  return {
    counts: commonCounts(transformer),
    numbers: { 'attention.layer_norm_epsilon': transformer.normEpsilon },
    texts: {},
  };
}

function llamaSizes(family: HfFamily, transformer: TransformerConfig): Sizes {
  const {
    vocabSize,
    kvHeads,
    headDim,
    rotaryDim = headDim,
    ropeTheta,
    normEpsilon,
    layerForms,
    maxPositions,
  } = transformer;
  const scaling = scalingKeys(transformer);
  const window = layerForms?.find((form) => form.window !== undefined)?.window;
  return {
    counts: {
      vocab_size: vocabSize,
      ...commonCounts(transformer),
      'attention.head_count_kv': kvHeads,
      'attention.key_length': headDim,
      'attention.value_length': headDim,
      // A Phi-3 without a window says so by 0.
      'attention.sliding_window': family === 'phi3' ? (window ?? 0) : window,
      'rope.dimension_count': rotaryDim,
      // Its converter writes it always, and llama.cpp needs it.
      'rope.scaling.original_context_length': family === 'phi3' ? maxPositions : undefined,
      ...scaling.counts,
    },
    numbers: {
      'attention.layer_norm_rms_epsilon': normEpsilon,
      'rope.freq_base': ropeTheta,
      ...scaling.numbers,
    },
    texts: scaling.texts,
  };
}

function scalingKeys({ ropeScaling }: TransformerConfig): Sizes {
  const none: Sizes = { counts: {}, numbers: {}, texts: {} };
  const original = 'rope.scaling.original_context_length';
  switch (ropeScaling?.kind) {
    case 'linear':
      return {
        ...none,
        numbers: { 'rope.scaling.factor': ropeScaling.factor },
        texts: { 'rope.scaling.type': 'linear' },
      };
    case 'yarn':
      return {
        counts: { [original]: ropeScaling.originalPositions },
        numbers: {
          'rope.scaling.factor': ropeScaling.factor,
          'rope.scaling.yarn_beta_fast': ropeScaling.betaFast,
          'rope.scaling.yarn_beta_slow': ropeScaling.betaSlow,
          'rope.scaling.attn_factor': ropeScaling.attentionFactor / impliedByYarn(ropeScaling),
        },
        texts: { 'rope.scaling.type': 'yarn' },
      };
    case 'longrope':
      return {
        ...none,
        counts: { [original]: ropeScaling.originalPositions },
        numbers: { 'rope.scaling.attn_factor': ropeScaling.attentionFactor },
      };
    default:
      return none;
  }
}

/** The magnitude that llama.cpp gives to YaRN by itself. */
function impliedByYarn({ factor }: Extract<RopeScaling, { kind: 'yarn' }>): number {
  return factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
}

function tablesOf(transformer: TransformerConfig): ReadonlyMap<string, Float32Array> {
  const { ropeScaling: scaling, ropeTheta, headDim } = transformer;
  if (scaling?.kind === 'llama3')
    return new Map([[ropeFactorsName, Float32Array.from(llama3Factors(scaling, ropeTheta, headDim))]]);
  if (scaling?.kind !== 'longrope') return new Map();
  const [short, long] = longFactorsNames;
  return new Map([
    [short, Float32Array.from(scaling.factors)],
    [long, Float32Array.from(scaling.longFactors)],
  ]);
}

/** What of a model llama.cpp does not compute; null if it does. */
function refusalOf(family: HfFamily, transformer: TransformerConfig): string | null {
  const { layers, mlp, layerScaledScores, scoreScale, headDim, ropeScaling, maxPositions = 0 } = transformer;
  if (family === 'gpt2') {
    if (mlp !== 'gelu') return 'an exact GELU';
    return scoreScale !== undefined || layerScaledScores ? 'scores of another scale' : null;
  }
  if (ropeScaling?.kind === 'dynamic') return 'dynamic rope scaling';
  const forms = Array.from({ length: layers }, (_, layer) => transformer.layerForms?.[layer] ?? {});
  const windows = forms.map(({ window }) => (window !== undefined && window < maxPositions ? window : undefined));
  const hasWindow = windows.some((window) => window !== undefined);
  switch (family) {
    case 'gemma3_text':
      if (forms.some(({ ropeTheta }) => ropeTheta !== undefined && ropeTheta !== 10_000))
        return 'angles of layers with windows from another base than 10,000';
      if (forms.some(({ window }, layer) => (window === undefined) !== ((layer + 1) % 6 === 0)))
        return 'windows on other layers than five of six';
      return Math.abs((scoreScale ?? 0) * Math.sqrt(headDim) - 1) > 1e-6 ? 'scores of another scale' : null;
    case 'smollm3':
      if (hasWindow) return 'sliding windows';
      return forms.some(({ ropeTheta }, layer) => (ropeTheta === 0) !== ((layer + 1) % 4 === 0))
        ? 'positions in other layers than three of four'
        : null;
    case 'phi3':
      return null;
    default:
      return hasWindow ? 'sliding windows' : null;
  }
}

/**
 * Shapes to bench on GPUs, whose caches hold the kernels' own bench cases: as wide as models of 10 to 100 million
 * parameters have them, and long enough that a launch moves half a gigabyte. Their inputs repeat those of a short case
 * over and over, so that what a short reference expects, repeated, is what the whole result must be.
 */
import { type AttentionParams, noWindow, packSegments } from '../../../kernels/attentionReference.ts';
import type { InputArray, KernelCase, KernelSpec, Params } from '../../../kernels/spec.ts';
import type { KernelResults } from '../../gpu/agreement.ts';
import { caseInputs } from '../../gpu/benchmark.ts';
import { repeatFirst } from '../../gpu/hostArrays.ts';

/** A case with what cannot be told from its parameters. */
export interface BenchCase {
  readonly kernelCase: KernelCase;
  /** Operations, where they depend on the inputs; else those of the kernel's cost. */
  readonly flops?: number;
  /** The outputs, or as many of their first elements as are known; by default the reference's. */
  readonly expected?: () => KernelResults;
}

/** How large the cases are. */
export interface GpuSizes {
  /** Bytes that a launch of a kernel bound by memory moves at the least. */
  readonly leastBytes: number;
  /** Side of square products. */
  readonly side: number;
  /** Rows of a pack of sequences, and their lengths. */
  readonly rows: number;
  readonly lengths: readonly number[];
}

const gpuSizes: GpuSizes = { leastBytes: 2 ** 29, side: 4096, rows: 8192, lengths: [1024, 4096] };

/** Most bytes of a binding. */
const mostBindingBytes = 2 ** 30;

/** A short case, over the kernel's bench case, and the parameter along which it is repeated. */
interface Repeated {
  readonly along: string;
  readonly unit: Params;
}

const norms = ['layerNorm', 'addLayerNorm', 'rmsNorm', 'addRmsNorm'];
const heads = { heads: 12, kvHeads: 4, headDim: 64 };
const vocabulary = 16_384;

const repeated: Readonly<Record<string, Repeated>> = {
  ...entries([...norms, ...norms.map((name) => `${name}Backward`)], { along: 'rows', unit: { rows: 64, width: 768 } }),
  ...entries(
    norms.map((name) => `${name}Gradients`),
    { along: 'rows', unit: { rows: 128, width: 768, run: 64 } },
  ),
  ...entries(['swiglu', 'swigluBackward', 'geglu', 'gegluBackward', 'softmax', 'softmaxBackward'], {
    along: 'rows',
    unit: { rows: 64, width: 2048 },
  }),
  ...entries(['tokenLogProbs'], { along: 'rows', unit: { rows: 32, width: vocabulary } }),
  ...entries(['tokenLogProbsBackward'], { along: 'rows', unit: { rows: 32, width: vocabulary, vocab: vocabulary } }),
  ...entries(['vocabChunk'], { along: 'rows', unit: { rows: 32 } }),
  ...entries(['columnSum', 'columnSumPair'], { along: 'rows', unit: { rows: 512, columns: 768, run: 256 } }),
  ...entries(['headNorm', 'headNormBackward', 'attentionStatistics'], { along: 'rows', unit: { rows: 64, ...heads } }),
  ...entries(['splitHeadsWithRope', 'splitHeadsWithRopeBackward'], {
    along: 'rows',
    unit: { rows: 64, ...heads, rotaryDim: heads.headDim },
  }),
  ...entries(['sumRuns', 'dotRuns', 'squareRuns', 'rootSumRuns'], {
    along: 'count',
    unit: { count: 16_384, run: 8192 },
  }),
  ...entries(['gatherRows'], { along: 'count', unit: { count: 64, width: 768, tableRows: 16_384 } }),
  ...entries(['adamW'], { along: 'count', unit: { count: 4096, decaySize: 0 } }),
};

function entries(names: readonly string[], value: Repeated): Record<string, Repeated> {
  return Object.fromEntries(names.map((name) => [name, value]));
}

/** The cases that the kernel itself gives. */
export function ownCases(spec: KernelSpec): readonly BenchCase[] {
  return (spec.benchCases ?? spec.cases.slice(-1)).map((kernelCase) => ({ kernelCase }));
}

/** The kernel's bench cases on a GPU: grown where it is known how, else its own. @param largestBinding in bytes */
export function gpuCases(spec: KernelSpec, largestBinding: number, sizes: GpuSizes = gpuSizes): readonly BenchCase[] {
  const own = ownCases(spec);
  const [family = '', form = ''] = spec.name.split('.');
  if (['attention', 'attentionBackwardQuery', 'attentionBackwardKey'].includes(family))
    return attentionCases(spec, sizes);
  if (family === 'matmul') return [productCase(spec, form, sizes.side)];
  const found = howToRepeat(spec, family);
  const first = own[0]?.kernelCase;
  if (!found || !first) return own;
  const short = { ...first.params, ...found.unit };
  const repeats = repeatsOf(spec, short, found.along, Math.min(largestBinding, mostBindingBytes), sizes.leastBytes);
  return [repeatedCase(spec, short, { ...short, [found.along]: short[found.along]! * repeats })];
}

/** Elementwise kernels are told by their parameters, others by name. */
function howToRepeat(spec: KernelSpec, family: string): Repeated | undefined {
  const counts = Object.entries(spec.params).filter(([, type]) => type !== 'f32');
  const hasOwnInputs = (spec.benchCases ?? []).some(({ inputs }) => inputs);
  if (counts.length === 1 && counts[0]?.[0] === 'count' && (!hasOwnInputs || spec.tuningCase))
    return { along: 'count', unit: { count: 4096 } };
  return repeated[family];
}

/**
 * A square product. The rows of the left operand are the same sixteen over and over, but where it is transposed: then
 * the plainest variant tells what is right.
 */
function productCase(spec: KernelSpec, form: string, side: number): BenchCase {
  const params = { m: side, n: side, k: side, batch: 1, splits: 1 };
  return form === 'tn' ? { kernelCase: { params } } : repeatedCase(spec, { ...params, m: 16 }, params);
}

/** The case `params` with the inputs of the case `short` over and over. */
function repeatedCase(spec: KernelSpec, short: Params, params: Params): BenchCase {
  let known: Readonly<Record<string, InputArray>> | undefined;
  const inputs = () => (known ??= caseInputs(spec, spec.tuningCase?.(short) ?? { params: short }));
  const sizes = spec.sizes(params);
  const toWhole = (values: KernelResults) =>
    Object.fromEntries(Object.entries(values).map(([name, part]) => [name, repeatedTo(sizes[name] ?? 0, part)]));
  return {
    kernelCase: { params, inputs: () => toWhole(inputs()) },
    expected: () => toWhole(spec.reference(inFloat64(inputs()), short)),
  };
}

/** How many times the short case it takes: a power of two. */
function repeatsOf(spec: KernelSpec, short: Params, along: string, mostBytes: number, leastBytes: number): number {
  const grown = (repeats: number) => ({ ...short, [along]: short[along]! * repeats });
  const fits = (repeats: number) => Object.values(spec.sizes(grown(repeats))).every((size) => 4 * size <= mostBytes);
  let repeats = 1;
  while (spec.cost(grown(repeats)).bytes < leastBytes && fits(2 * repeats)) repeats *= 2;
  return repeats;
}

/** The values over and over; weights and other values that do not grow as they are. */
function repeatedTo(size: number, part: ArrayLike<number>): InputArray {
  const whole =
    part instanceof Uint32Array || part instanceof Int32Array ? new Uint32Array(size) : new Float32Array(size);
  whole.set(part, 0);
  return repeatFirst(whole, part.length);
}

/** Inputs as references take them. */
export function inFloat64(inputs: Readonly<Record<string, InputArray>>): Record<string, Float64Array> {
  return Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, Float64Array.from(values)]));
}

/** The first sequence of a pack, whose results are compared. */
const comparedRows = 64;

/**
 * Sequences of one length, of models of 100 million parameters and of half a billion. Operations are those of the pairs
 * that attend each other.
 */
function attentionCases(spec: KernelSpec, { rows, lengths: sequenceLengths }: GpuSizes): readonly BenchCase[] {
  const perPair = spec.name.startsWith('attentionBackwardKey')
    ? 8
    : spec.name.startsWith('attentionBackwardQuery')
      ? 6
      : 4;
  return sequenceLengths.flatMap((length) =>
    [
      { heads: 12, kvHeads: 12, headDim: 64 },
      { heads: 12, kvHeads: 2, headDim: 128 },
    ].map((shape): BenchCase => {
      const lengths = [comparedRows, ...new Array<number>(rows / length).fill(length)];
      const params = { ...shape, window: noWindow, rows: lengths.reduce((sum, each) => sum + each, 0) };
      const kernelCase = attentionCase(params, lengths, `length ${length}`);
      const pairs = lengths.reduce((sum, each) => sum + (each * (each + 1)) / 2, 0);
      const first = { ...params, rows: comparedRows };
      const expected = () => {
        const inputs = inFloat64(caseInputs(spec, kernelCase));
        const sizes = spec.sizes(first);
        const parts = Object.fromEntries(
          Object.entries(inputs).map(([name, values]) => [name, values.subarray(0, sizes[name])]),
        );
        return spec.reference(parts, first);
      };
      return { kernelCase, flops: perPair * shape.headDim * shape.heads * pairs, expected };
    }),
  );
}

/** Statistics say that the scores' exponentials add up to e⁷, so that no weight is large. */
function attentionCase(params: AttentionParams, lengths: readonly number[], note: string): KernelCase {
  const statistics = Float32Array.from({ length: 2 * params.rows * params.heads }, (_, i) => (i % 2 === 0 ? 7 : 0));
  return { params, note, inputs: () => ({ ...packSegments(lengths), statistics }) };
}

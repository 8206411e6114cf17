/**
 * What is tried on a platform with a WebGPU of its own: kernels against their references, and a training run. Bundled
 * for browsers and Deno by `scripts/everywhere.mjs`; nothing of Node is in it.
 */
import { kernels } from '../../kernels/index.ts';
import { defaultVariant, isSupported, type KernelSpec } from '../../kernels/spec.ts';
import { errorMessage } from '../../src/base/errors.ts';
import { createTaskSet } from '../../src/envs/index.ts';
import { openBrowserDevice } from '../../src/gpu/browserDevice.ts';
import type { GpuContext } from '../../src/gpu/context.ts';
import { checkKernel } from '../../src/gpu/kernelCheck.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { presets } from '../../src/rl/presets.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { Engine } from '../../src/tensor/engine.ts';

export interface ProbeOptions {
  /** Every variant and case of every kernel; by default one case of the variant that programs use, of some. */
  readonly all: boolean;
  /** Default: the platform's own. */
  readonly open?: () => Promise<GpuContext>;
}

export interface Probe {
  readonly adapter: string;
  readonly features: readonly string[];
  /** How many kernels are right, what is wrong with others, and which the adapter cannot run. */
  readonly right: number;
  readonly wrong: readonly string[];
  readonly leftOut: readonly string[];
  readonly trainings: readonly ProbeTraining[];
}

export interface ProbeTraining {
  readonly precision: 'f32' | 'f16';
  /** What is wrong with it; null if nothing is. */
  readonly problem: string | null;
  /** Largest difference of a log-probability between sampler and trainer. */
  readonly samplerMismatch: number;
  readonly seconds: number;
}

/** One kernel of each family and of each thing that languages of shaders differ in. */
const chosen: readonly string[] = [
  'matmul.nn',
  'matmul.nt.bias',
  'matmul.nt.f16xf16',
  'attention',
  'attentionBackwardKey',
  'attentionStep',
  'addLayerNorm',
  'rmsNormGradients',
  'softmax',
  'tokenLogProbs',
  'columnSum',
  'gatherRows',
  'gelu',
  'cast.narrow',
  'dropout',
  'kvAppend',
  'adamW',
  'ppoLoss',
  'proximity',
  'tfidf',
  'trieStep',
  'sample',
];

/** Largest `samplerMismatch`: f16 rounds what products read. */
const mostMismatch = { f32: 1e-3, f16: 2e-2 } as const;

export async function probe(options: ProbeOptions, onStep: (what: string) => void): Promise<Probe> {
  const { all, open = () => openBrowserDevice() } = options;
  let gpu = await open();
  const { name, profile } = gpu.adapter;
  const tried = kernels.filter((spec) => all || chosen.includes(spec.name));
  const supported = tried.filter((spec) => isSupported(spec, profile));
  const wrong: string[] = [];
  for (const spec of supported) {
    onStep(spec.name);
    const problem = await problemOf(gpu, all ? spec : withOneCase(gpu, spec));
    if (problem !== null) wrong.push(`${spec.name}: ${problem}`);
    if (!gpu.works) gpu = await open();
  }
  const trainings: ProbeTraining[] = [];
  for (const precision of ['f32', 'f16'] as const) {
    if (precision === 'f16' && !profile.features.has('shader-f16')) continue;
    onStep(`training in ${precision}`);
    trainings.push(await train(gpu, precision));
    if (!gpu.works) gpu = await open();
  }
  gpu.destroy();
  return {
    adapter: name,
    features: [...profile.features],
    right: supported.length - wrong.length,
    wrong,
    leftOut: tried.filter((spec) => !supported.includes(spec)).map((spec) => spec.name),
    trainings,
  };
}

/** The last case, which is the largest, in the variant that programs would run. */
function withOneCase({ profile }: GpuContext, spec: KernelSpec): KernelSpec {
  const cases = spec.cases.slice(-1);
  return { ...spec, cases, variants: cases.map(({ params }) => defaultVariant(spec, profile, params)) };
}

async function problemOf(gpu: GpuContext, spec: KernelSpec): Promise<string | null> {
  try {
    return await checkKernel(gpu, spec);
  } catch (error) {
    return errorMessage(error);
  }
}

/** A warm start and two iterations of the household preset, made small. */
async function train(gpu: GpuContext, precision: ProbeTraining['precision']): Promise<ProbeTraining> {
  const start = performance.now();
  const result = (problem: string | null, samplerMismatch = Number.NaN) => ({
    precision,
    problem,
    samplerMismatch,
    seconds: (performance.now() - start) / 1000,
  });
  try {
    const { small } = presets;
    const config = trainConfigSchema.parse({
      ...small,
      precision,
      warmStart: { ...small.warmStart, tasks: 24, epochs: 1 },
      training: { ...small.training, pool: 8, tasks: 4, groupSize: 4, miniBatches: 2, iterations: 2 },
      evaluation: { ...small.evaluation, tasks: 8 },
    });
    const taskSet = await createTaskSet(config.environment.name, config.environment.options);
    const trainer = new Trainer(new Engine(gpu), config, taskSet, wordPolicySource(config, tokenizerFor(taskSet)));
    await trainer.warmStart();
    await trainer.iterate(0);
    const { metrics } = await trainer.iterate(1);
    const { samplerMismatch } = metrics;
    const areNumbers = [metrics.kl, metrics.entropy, samplerMismatch].every(Number.isFinite);
    if (!areNumbers) return result('its figures are no numbers', samplerMismatch);
    return result(
      samplerMismatch > mostMismatch[precision] ? `sampler and trainer differ by ${samplerMismatch}` : null,
      samplerMismatch,
    );
  } catch (error) {
    return result(errorMessage(error));
  }
}

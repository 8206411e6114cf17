/**
 * How speed and memory of a training step grow with the model and with the context: one sequence a step. Rows show the
 * memory that the planner gave the step's intermediate values, beside their sum and the least that any plan could do
 * with, and what the host takes to encode the step, beside the kernels' time.
 */
import { Profiler } from '../../gpu/profiler.ts';
import type { Engine } from '../../tensor/engine.ts';
import { trainingFlops } from './modelCosts.ts';
import type { BenchRow } from './rows.ts';
import { SequenceStep } from './sequenceStep.ts';
import { model1M, model10M, model100M, type SizedModel } from './sizes.ts';
import type { OpenWorkload, Workload } from './workload.ts';

const contexts = [128, 256, 512, 1024, 2048, 4096] as const;
/** The longest context of the smallest model that a CPU is asked for without being told to. */
const longestOnCpu = 1024;

function scaleWorkload({ name, config }: SizedModel, length: number): Workload {
  return {
    name: `scale/${name}`,
    shape: `length=${length}`,
    variant: 'f32',
    flops: trainingFlops(config, 1, length),
    bytes: 0,
    tokens: length,
    isLarge: ({ kind }) => kind === 'cpu' && (name !== model1M.name || length > longestOnCpu),
    open: (engine) => open(engine, config, length),
  };
}

async function open(engine: Engine, config: SizedModel['config'], length: number): Promise<OpenWorkload> {
  const step = await SequenceStep.create(engine, config, length);
  const { program } = step;
  const run = (round: number) => step.step(sequenceOf(round % 4, length, config.vocabSize));
  return {
    dispatches: program.dispatches,
    run,
    isCorrect: () => learns(() => run(0), config.vocabSize),
    figures: async () => ({
      memory: { ...program.memory, variables: engine.memory.variables },
      host: await hostShare(engine, () => run(0)),
    }),
    destroy: () => step.destroy(),
  };
}

/**
 * Whether the loss begins at that of random guesses, within what random weights change, and falls on the same sequence.
 */
async function learns(step: () => Promise<number>, vocabSize: number): Promise<boolean> {
  const first = await step();
  const second = await step();
  return Math.abs(first - Math.log(vocabSize)) < 1.5 && second < first;
}

/** Milliseconds that the host takes to encode a run, and the sum of its kernels' times. */
async function hostShare({ gpu }: Engine, run: () => Promise<unknown>): Promise<NonNullable<BenchRow['host']>> {
  let [encodeMs, kernelMs] = [0, 0];
  gpu.runner = new Profiler(gpu, (result) => {
    encodeMs += result.encodeMs;
    kernelMs += result.dispatches.reduce((sum, { ms }) => sum + ms, 0);
  });
  try {
    await run();
  } finally {
    gpu.runner = null;
  }
  return { encodeMs, kernelMs };
}

/** Tokens of which each follows from the one before by one of two rules. */
export function sequenceOf(seed: number, length: number, vocabSize: number): Uint32Array<ArrayBuffer> {
  const tokens = new Uint32Array(length + 1);
  let state = seed + 1;
  for (let i = 0; i < tokens.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const before = tokens[i - 1] ?? seed;
    tokens[i] = (state >>> 16) % 2 === 0 ? (before * 5 + 1) % vocabSize : (before + 7) % vocabSize;
  }
  return tokens;
}

export const scaleWorkloads: readonly Workload[] = [model1M, model10M, model100M].flatMap((model) =>
  contexts.map((length) => scaleWorkload(model, length)),
);

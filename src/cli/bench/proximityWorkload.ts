/**
 * ProxMO's step level as a workload: 1,024 rows of 1,024 features in 16 groups of 64; cosine similarity within a group,
 * softmax at τ = 0.1, weighted returns. Rows as TF-IDF makes them, with 30 features each, and dense rows, each in one
 * kernel that computes the groups' blocks alone; and the policy's hidden states, centred by group, with the host's
 * part.
 */
import { proximity } from '../../../kernels/proximity.ts';
import { proximityDense } from '../../../kernels/proximityDense.ts';
import type { InputArray } from '../../../kernels/spec.ts';
import { AdvantageEstimator, referenceAdvantages } from '../../rl/advantages/index.ts';
import { indexRollout } from '../../rl/rows.ts';
import type { Engine } from '../../tensor/engine.ts';
import { Random } from '../../tensor/random.ts';
import { constant, input, launch, type Tensor } from '../../tensor/tensor.ts';
import { Variable } from '../../tensor/variable.ts';
import type { OpenWorkload, Workload } from './workload.ts';

const [rows, features, groupSize, temperature] = [1024, 1024, 64, 0.1];
const groups = rows / groupSize;
const sparseEntries = 30;
/** Batches that runs take in turn. */
const batches = 4;

const pairs = rows * groupSize;
const softmaxFlops = 10 * pairs;

export const proximityWorkloads: readonly Workload[] = [
  {
    name: 'advantages/proxmo-1024',
    shape: `rows=${rows} features=${features} groups=${groups} entries=${sparseEntries}`,
    variant: 'sparse, one kernel',
    flops: 2 * pairs * sparseEntries + softmaxFlops,
    bytes: 4 * (2 * rows * sparseEntries + 8 * rows),
    open: (engine) => openWorkload(engine, sparseEntries, sparseGraph(), sparseInputs),
  },
  {
    name: 'advantages/proxmo-1024-dense',
    shape: `rows=${rows} features=${features} groups=${groups} entries=${features}`,
    variant: 'dense, one kernel',
    flops: 2 * pairs * features + softmaxFlops,
    bytes: 4 * (rows * features + 2 * rows),
    open: (engine) => openWorkload(engine, features, denseGraph(), ({ x, returns }) => ({ x, returns })),
  },
  {
    name: 'advantages/proxmo-1024-hidden',
    shape: `rows=${rows} width=${features} groups=${groups}`,
    variant: 'states on the device',
    flops: 2 * pairs * features + 10 * rows * features + softmaxFlops,
    bytes: 4 * (4 * rows * features + 2 * pairs),
    open: openHidden,
  },
];

/** Rows `[rows, features]`, not normalised, and a return for each. */
interface Batch {
  readonly x: Float32Array<ArrayBuffer>;
  readonly returns: Float32Array<ArrayBuffer>;
}

/** By hidden states that lie on the device, as a rollout leaves them; each row is an episode of one turn. */
async function openHidden(engine: Engine): Promise<OpenWorkload> {
  const { x, returns } = makeBatch(0, features);
  const table = new Variable('hidden states', [rows, features]);
  engine.write(table, x);
  const options = { estimator: 'proxmo', similarity: 'hidden', temperature } as const;
  const estimator = new AdvantageEstimator(options, engine);
  const batch = indexRollout(
    Array.from(returns, (reward, row) => ({
      ...{ group: `task ${Math.floor(row / groupSize)}`, trajectory: `episode ${row}`, step: 0, observation: '' },
      ...{ reward, success: false, valid: true },
    })),
  );
  const states = Array.from(returns, (_, row) => x.subarray(row * features, (row + 1) * features));
  const run = () => estimator.estimate(batch, { table, stateOf: [...states.keys()] });
  return {
    run,
    isCorrect: async () => {
      const { step } = await run();
      return referenceAdvantages(batch, options, states).step.every((want, row) => Math.abs(step[row]! - want) < 1e-3);
    },
    destroy: () => {
      void estimator.destroy();
      engine.release(table);
    },
  };
}

async function openWorkload(
  engine: Engine,
  entries: number,
  baseline: Tensor,
  inputsOf: (batch: Batch) => Record<string, InputArray>,
): Promise<OpenWorkload> {
  const program = await engine.compile({ name: 'proximity', outputs: { baseline } });
  const data = Array.from({ length: batches }, (_, seed) => makeBatch(seed, entries));
  const inputs = data.map(inputsOf);
  const run = async (round: number) => (await program.run(inputs[round % batches])).baseline;
  return {
    dispatches: program.dispatches,
    run,
    isCorrect: async () => {
      const got = await run(0);
      return referenceBaselines(data[0]!).every((want, row) => Math.abs(got[row]! - want) < 1e-3);
    },
    destroy: () => program.destroy(),
  };
}

function makeBatch(seed: number, entries: number): Batch {
  const random = new Random(seed, 'proximity workload');
  const x = new Float32Array(rows * features);
  for (let row = 0; row < rows; row++) {
    for (let entry = 0; entry < entries; entry++) {
      const column = entries === features ? entry : random.below(features);
      x[row * features + column] = Math.abs(random.normal()) + 0.1;
    }
  }
  return { x, returns: Float32Array.from({ length: rows }, () => random.normal()) };
}

function sparseGraph(): Tensor {
  const entries = rows * sparseEntries;
  const inputs = {
    columns: input('columns', [entries], 'u32'),
    weights: input('weights', [entries]),
    keys: input('keys', [rows, 4], 'u32'),
    ranges: input('ranges', [rows, 2], 'u32'),
    returns: input('returns', [rows]),
  };
  return launch(proximity, { keys: rows, entries, features, temperature }, inputs, { baseline: [rows] }).baseline;
}

/** The kernel's layout (`kernels/proximity.ts`): each row is a key of its own. */
function sparseInputs({ x, returns }: Batch): Record<string, InputArray> {
  const [columns, weights] = [new Uint32Array(rows * sparseEntries), new Float32Array(rows * sparseEntries)];
  const [keys, ranges] = [new Uint32Array(4 * rows), new Uint32Array(2 * rows)];
  let end = 0;
  for (let row = 0; row < rows; row++) {
    const values = x.subarray(row * features, (row + 1) * features);
    const norm = Math.hypot(...values);
    const start = end;
    for (const [column, value] of values.entries()) {
      if (value === 0) continue;
      columns[end] = column;
      weights[end++] = value / norm;
    }
    const first = row - (row % groupSize);
    keys.set([start, end, 0, 1], 4 * row);
    ranges.set([first, first + groupSize], 2 * row);
  }
  return { columns, weights, keys, ranges, returns };
}

function denseGraph(): Tensor {
  const ranges = constant(
    Array.from({ length: rows }, (_, row) => [row - (row % groupSize), row - (row % groupSize) + groupSize]).flat(),
    [rows, 2],
    'u32',
  );
  const inputs = { x: input('x', [rows, features]), ranges, returns: input('returns', [rows]) };
  return launch(proximityDense, { rows, features, temperature }, inputs, { baseline: [rows], totals: [rows] }).baseline;
}

function referenceBaselines({ x, returns }: Batch): Float64Array {
  const row = (index: number) => x.subarray(index * features, (index + 1) * features);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const norms = Float64Array.from({ length: rows }, (_, index) => Math.sqrt(dot(row(index), row(index))));
  return Float64Array.from({ length: rows }, (_, query) => {
    const first = query - (query % groupSize);
    let [total, weighted] = [0, 0];
    for (let key = first; key < first + groupSize; key++) {
      const weight = Math.exp((dot(row(query), row(key)) / (norms[query]! * norms[key]!) - 1) / temperature);
      total += weight;
      weighted += weight * returns[key]!;
    }
    return weighted / total;
  });
}

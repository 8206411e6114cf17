/**
 * The policy loss of PPO with its slope and statistics, and the sum of those over runs of rows. Formulas:
 * src/ops/ppoLoss.ts.
 */
import shader from '../shaders/ppo_loss.wgsl';
import totalsShader from '../shaders/ppo_loss_totals.wgsl';
import { rowDispatch, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel, type KernelCase, type Variant } from './spec.ts';

/** `run`: rows of a partial sum. `dualClip` is 0 for none. `klEstimator` is 1, 2 or 3 for k1, k2 or k3. */
type PpoLossParams = {
  rows: number;
  run: number;
  clipLow: number;
  clipHigh: number;
  dualClip: number;
  klCoefficient: number;
  klEstimator: number;
  entropyCoefficient: number;
};

/**
 * What is summed over rows, weighted but for the last two: the largest |logProb − oldLogProb|, and the count of rows
 * with a weight.
 */
export const ppoTotals = [
  'loss',
  'policyLoss',
  'kl',
  'entropy',
  'clipShare',
  'dualClipShare',
  'ratio',
  'weight',
  'largestLogProbChange',
  'tokens',
] as const;
export type PpoTotal = (typeof ppoTotals)[number];

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };

/** Partial sums; at least one, so that no rows sum to 0. */
export const ppoRunsOf = ({ rows, run }: Pick<PpoLossParams, 'rows' | 'run'>): number =>
  Math.max(1, Math.ceil(rows / run));

type RowTotals = Record<PpoTotal, number> & { readonly slope: number };

/** One row of weight above 0 in float64. */
function rowTotals(row: Readonly<Record<string, number>>, params: PpoLossParams): RowTotals {
  const { logProb, oldLogProb, referenceLogProb, entropy, advantage, weight } = row as Record<string, number> &
    Record<'weight', number>;
  const { clipLow, clipHigh, dualClip, klCoefficient, klEstimator, entropyCoefficient } = params;
  const ratio = Math.exp(logProb! - oldLogProb!);
  const unclipped = -advantage! * ratio;
  const clipped = -advantage! * Math.min(Math.max(ratio, 1 - clipLow), 1 + clipHigh);
  const isClipped = clipped > unclipped;
  const isDualClipped = dualClip > 0 && advantage! < 0 && Math.max(unclipped, clipped) > -dualClip * advantage!;
  const policyLoss = isDualClipped ? -dualClip * advantage! : Math.max(unclipped, clipped);
  const delta = referenceLogProb! - logProb!;
  const k3 = Math.exp(delta) - delta - 1;
  const [kl, klSlope] =
    klEstimator === 1
      ? [-delta, 1]
      : klEstimator === 2
        ? [delta ** 2 / 2, -delta]
        : [Math.min(k3, 10), k3 > 10 ? 0 : 1 - Math.exp(delta)];
  return {
    loss: weight * (policyLoss + klCoefficient * kl - entropyCoefficient * entropy!),
    policyLoss: weight * policyLoss,
    kl: weight * kl,
    entropy: weight * entropy!,
    clipShare: isClipped ? weight : 0,
    dualClipShare: isDualClipped ? weight : 0,
    ratio: weight * ratio,
    weight,
    largestLogProbChange: Math.abs(logProb! - oldLogProb!),
    tokens: 1,
    slope: weight * ((isClipped || isDualClipped ? 0 : unclipped) + klCoefficient * klSlope),
  };
}

/** The kernel's rows in float64: slopes, and totals of each run. */
function reference(inputs: Readonly<Record<string, Float64Array>>, params: PpoLossParams) {
  const { rows, run } = params;
  const slope = new Float64Array(rows);
  const partial = new Float64Array(ppoRunsOf(params) * ppoTotals.length);
  for (let row = 0; row < rows; row++) {
    const values = Object.fromEntries(Object.entries(inputs).map(([name, column]) => [name, column[row]!]));
    if (!(values.weight! > 0)) continue;
    const totals = rowTotals(values, params);
    slope[row] = totals.slope;
    ppoTotals.forEach((name, index) => {
      const at = Math.floor(row / run) * ppoTotals.length + index;
      partial[at] =
        name === 'largestLogProbChange' ? Math.max(partial[at]!, totals[name]) : partial[at]! + totals[name];
    });
  }
  return { slope, partial };
}

const defaults = {
  clipLow: 0.2,
  clipHigh: 0.2,
  dualClip: 3,
  klCoefficient: 0.01,
  klEstimator: 3,
  entropyCoefficient: 0.001,
};

/** Ratios within and outside every clip range, advantages of both signs, and every fourth row without weight. */
function caseOf(changes: Partial<PpoLossParams> & { rows: number; run: number }): KernelCase<PpoLossParams> {
  const params = { ...defaults, ...changes };
  return {
    params,
    inputs: (random) => {
      const column = (value: (row: number) => number) => Array.from({ length: params.rows }, (_, row) => value(row));
      const logProb = column(() => -Math.abs(random()));
      return {
        logProb,
        oldLogProb: column((row) => logProb[row]! + 0.7 * random()),
        referenceLogProb: column((row) => logProb[row]! + (row % 11 === 0 ? 5 : 0.5) * random()),
        entropy: column(() => Math.abs(random())),
        advantage: column(() => random()),
        weight: column((row) => (row % 4 === 1 ? 0 : 1 / params.rows)),
      };
    },
  };
}

/** Where the totals lie, for the shaders. */
const layout = { TOTALS: ppoTotals.length, LARGEST: ppoTotals.indexOf('largestLogProbChange') };

/**
 * An invocation a run on software adapters, in small workgroups so that every core has some; a workgroup a run on GPUs.
 */
function runVariants(): readonly Variant<PpoLossParams>[] {
  return rowVariants<PpoLossParams>([], layout)
    .filter(({ constants }) => constants.WIDTH === 1)
    .map((variant) => ({
      ...variant,
      constants: { ...variant.constants, ...(variant.constants.COOPERATIVE ? {} : { WORKGROUP: 16 }) },
    }));
}

export const ppoLoss = defineKernel<PpoLossParams>({
  name: 'ppoLoss',
  shader,
  bindings: {
    logProb: read,
    oldLogProb: read,
    referenceLogProb: read,
    entropy: read,
    advantage: read,
    weight: read,
    slope: write,
    partial: write,
  },
  params: {
    rows: 'u32',
    run: 'u32',
    clipLow: 'f32',
    clipHigh: 'f32',
    dualClip: 'f32',
    klCoefficient: 'f32',
    klEstimator: 'u32',
    entropyCoefficient: 'f32',
  },
  variants: runVariants(),
  sizes: (params) => ({
    ...Object.fromEntries(
      ['logProb', 'oldLogProb', 'referenceLogProb', 'entropy', 'advantage', 'weight', 'slope'].map((name) => [
        name,
        params.rows,
      ]),
    ),
    partial: ppoRunsOf(params) * ppoTotals.length,
  }),
  dispatch: (params, constants) => rowDispatch({ rows: ppoRunsOf(params) }, constants),
  cost: (params) => ({ flops: 40 * params.rows, bytes: 4 * (7 * params.rows + ppoRunsOf(params) * ppoTotals.length) }),
  reference,
  cases: [
    caseOf({ rows: 1, run: 1 }),
    caseOf({ rows: 0, run: 16 }),
    caseOf({ rows: 300, run: 16 }),
    caseOf({ rows: 65, run: 16, klEstimator: 1, clipHigh: 0.28 }),
    caseOf({ rows: 65, run: 65, klEstimator: 2, dualClip: 0 }),
    {
      note: 'rows without weight may hold anything',
      params: { rows: 2, run: 2, ...defaults },
      inputs: () => ({ logProb: [-1, Number.NaN], advantage: [1, Number.POSITIVE_INFINITY], weight: [1, 0] }),
    },
  ],
  benchCases: [caseOf({ rows: 8192, run: 91 })],
  // Sums of up to 65 terms of size 1; exp of drivers is good to about 1e-5.
  tolerance: { absolute: 5e-5, relative: 2e-5 },
});

export const ppoLossTotals = defineKernel<{ runs: number }>({
  name: 'ppoLossTotals',
  shader: totalsShader,
  bindings: { partial: read, loss: write, statistics: write },
  params: { runs: 'u32' },
  variants: [
    { label: 'serial.f32', constants: { ...layout, DEPTH: 1 }, prefer: ({ kind }) => kind === 'cpu' },
    { label: 'shared16.f32', constants: { ...layout, DEPTH: 16 } },
  ],
  sizes: ({ runs }) => ({ partial: runs * ppoTotals.length, loss: 1, statistics: ppoTotals.length - 1 }),
  dispatch: () => [1, 1, 1],
  cost: ({ runs }) => ({ flops: runs * ppoTotals.length, bytes: 4 * (runs + 1) * ppoTotals.length }),
  reference: ({ partial }, { runs }) => {
    const totals = ppoTotals.map((name, index) => {
      const values = Array.from({ length: runs }, (_, run) => partial![run * ppoTotals.length + index]!);
      return name === 'largestLogProbChange' ? Math.max(0, ...values) : values.reduce((sum, value) => sum + value, 0);
    });
    return { loss: totals.slice(0, 1), statistics: totals.slice(1) };
  },
  cases: [1, 0, 91].map((runs) => ({ params: { runs } })),
  benchCases: [{ params: { runs: 91 } }],
  tolerance: { absolute: 2e-5, relative: 1e-5 },
});

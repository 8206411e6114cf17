/** Softmax by rows, and its gradient. */

import shader from '../shaders/softmax.wgsl';
import backwardShader from '../shaders/softmax_backward.wgsl';
import { longRowShapes, longRowVariants, type RowParams, rowDispatch } from './rows.ts';
import { type BindingSpec, defineKernel } from './spec.ts';

type SoftmaxParams = { rows: number; width: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };
const caseOf = ({ rows, width }: RowParams) => ({ params: { rows, width } });
const benchCases = [caseOf({ rows: 1024, width: 300 }), caseOf({ rows: 2048, width: 512 })];
// exp of drivers is good to about 1e-5; results are at most 1.
const tolerance = { absolute: 1e-5, relative: 1e-5 };

export const softmax = defineKernel<SoftmaxParams>({
  name: 'softmax',
  shader,
  bindings: { x: read, y: write },
  params: { rows: 'u32', width: 'u32' },
  variants: longRowVariants(['x', 'y']),
  sizes: ({ rows, width }) => ({ x: rows * width, y: rows * width }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 8 * rows * width, bytes: 8 * rows * width }),
  reference: ({ x }, { rows, width }) => {
    const y = new Float64Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const values = x!.subarray(row * width, (row + 1) * width);
      const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
      const weights = values.map((value) => Math.exp(value - largest));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      y.set(
        weights.map((weight) => weight / total),
        row * width,
      );
    }
    return { y };
  },
  cases: [
    ...longRowShapes.map(caseOf),
    {
      note: 'masked and far apart',
      ...caseOf({ rows: 2, width: 4 }),
      inputs: () => ({ x: [-1e30, 1, 2, -1e30, 5000, -5000, 0, 0] }),
    },
  ],
  benchCases,
  tolerance,
});

/** Gradient of `softmax` in x, from its result y. */
export const softmaxBackward = defineKernel<SoftmaxParams>({
  name: 'softmaxBackward',
  shader: backwardShader,
  bindings: { dy: read, y: read, dx: write },
  params: { rows: 'u32', width: 'u32' },
  variants: longRowVariants(['dy', 'y', 'dx']),
  sizes: ({ rows, width }) => ({ dy: rows * width, y: rows * width, dx: rows * width }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 4 * rows * width, bytes: 12 * rows * width }),
  reference: ({ dy, y }, { rows, width }) => {
    const dx = new Float64Array(rows * width);
    for (let row = 0; row < rows; row++) {
      let total = 0;
      for (let i = row * width; i < (row + 1) * width; i++) total += dy![i]! * y![i]!;
      for (let i = row * width; i < (row + 1) * width; i++) dx[i] = y![i]! * (dy![i]! - total);
    }
    return { dx };
  },
  cases: longRowShapes.map((shape) => ({
    ...caseOf(shape),
    inputs: (random) => ({
      y: Array.from({ length: shape.rows * shape.width }, () => Math.abs(random()) / shape.width),
    }),
  })),
  benchCases,
  tolerance,
});

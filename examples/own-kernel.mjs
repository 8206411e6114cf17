// A kernel of one's own, outside of the library: written, checked, differentiated, timed, and used in a model.
// docs/kernels.md explains the steps. Run it: node examples/own-kernel.mjs
import { AdamW, createModule, Engine, init, input, linear, minimise, mse } from 'proxmo/engine';
import {
  checkKernel,
  defaultVariant,
  defineKernel,
  differentiable,
  elementDispatch,
  elementVariants,
  gradientMismatch,
  launch,
  Profiler,
  shader,
  throughput,
  timeKernel,
} from 'proxmo/kernels';
import { openDevice } from 'proxmo/node';

// 1. The kernel: snake(x) = x + sin²(αx) / α, an activation for what repeats (Ziyin et al., arXiv 2006.08195).
const text = `
//#include "lib/elements.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = workgroupNumber(workgroup, workgroups);
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
    let wave = sin(params.alpha * x[i]);
//#if BACKWARD
    dx[i] = dy[i] * (1.0 + 2.0 * wave * cos(params.alpha * x[i]));
//#else
    y[i] = x[i] + wave * wave / params.alpha;
//#endif
  }
}
`;
const snakeOf = (x, alpha) => x + Math.sin(alpha * x) ** 2 / alpha;
const slopeOf = (x, alpha) => 1 + Math.sin(2 * alpha * x);

/** WGSL allows sine and cosine an error of 2^-11; SwiftShader's is 5e-5. */
const tolerance = { absolute: 2e-3, relative: 1e-3 };

/** What both directions share. @param names of the bindings, the written one last */
const kernelOf = (name, names, backward, reference) =>
  defineKernel({
    name,
    shader: shader('snake.wgsl', text),
    bindings: Object.fromEntries(
      names.map((binding, at) => [binding, { dtype: 'f32', access: at === names.length - 1 ? 'write' : 'read' }]),
    ),
    params: { count: 'u32', alpha: 'f32' },
    variants: elementVariants(names, { BACKWARD: backward }),
    sizes: ({ count }) => Object.fromEntries(names.map((binding) => [binding, count])),
    dispatch: elementDispatch,
    cost: ({ count }) => ({ flops: 6 * count, bytes: 4 * names.length * count }),
    reference,
    cases: [1, 0, 63, 260].map((count) => ({ params: { count, alpha: 2 } })),
    tolerance,
  });
const snakeKernel = kernelOf('snake', ['x', 'y'], false, ({ x }, { alpha }) => ({
  y: x.map((value) => snakeOf(value, alpha)),
}));
const snakeBackward = kernelOf('snakeBackward', ['x', 'dy', 'dx'], true, ({ x, dy }, { alpha }) => ({
  dx: x.map((value, i) => dy[i] * slopeOf(value, alpha)),
}));

// 2. The op: the kernel forward, and how gradients go back.
const snake = (x, alpha) => {
  const params = { count: x.size, alpha };
  const { y } = launch(snakeKernel, params, { x }, { y: x.shape });
  return differentiable('snake', [x], y, (dy) => [launch(snakeBackward, params, { x, dy }, { dx: x.shape }).dx]);
};

const gpu = await openDevice();
const engine = new Engine(gpu);

// 3. Check: each variant and case against float64, between sentinels, twice; then the op's gradient.
for (const kernel of [snakeKernel, snakeBackward])
  console.log(`${kernel.name}: ${(await checkKernel(gpu, kernel)) ?? 'as its reference'}`);
const mismatch = await gradientMismatch(engine, {
  inputs: { x: [5, 7] },
  tolerance,
  build: ({ x }) => snake(x, 2),
  reference: ({ x }) => x.map((value) => snakeOf(value, 2)),
});
console.log(`gradient: ${mismatch ?? 'as finite differences'}`);

// 4. Time: one variant at one size.
const params = { count: 1 << 18, alpha: 2 };
const variant = defaultVariant(snakeKernel, gpu.profile, params);
const { median } = await timeKernel(gpu, snakeKernel, variant, { params }, { batchMs: 5, repeats: 3 });
console.log(
  `${variant.label}: ${median.toFixed(3)} ms, ${throughput(snakeKernel, params, median).gbps.toFixed(1)} GB/s`,
);

// 5. Use: a network that learns sin(3x) + x / 2.
const { tensors, slab } = createModule('wave', {
  hidden: { weight: init.normal([24, 1], 1), bias: init.uniform([24], 1) },
  output: { weight: init.glorot([1, 24]), bias: init.zeros([1]) },
});
const hidden = snake(linear(input('x', [64, 1]), tensors.hidden.weight, tensors.hidden.bias), 2);
const loss = mse(linear(hidden, tensors.output.weight, tensors.output.bias), input('y', [64, 1]));
const optimizer = new AdamW(slab, { weightDecay: 0 });
const program = await engine.compile({ name: 'wave', outputs: { loss }, ...minimise(loss, optimizer) });
const x = Float32Array.from({ length: 64 }, (_, i) => i / 16 - 2);
const y = x.map((value) => Math.sin(3 * value) + value / 2);
let last = 0;
for (let step = 1; step <= 200; step++)
  last = (await program.run({ x, y, hyperparameters: optimizer.hyperparameters(step, 0.01) })).loss[0];
console.log(`loss after 200 steps: ${last.toFixed(4)}`);

// 6. Profile: where a step's time goes.
gpu.runner = new Profiler(gpu, ({ dispatches }) => {
  const snakes = dispatches.filter(({ kernel }) => kernel.startsWith('snake'));
  console.log(`${dispatches.length} dispatches in a step, ${snakes.length} of them snake's`);
});
await program.run({ x, y, hyperparameters: optimizer.hyperparameters(201, 0.01) });
gpu.destroy();

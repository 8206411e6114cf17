/** The kernel that `proxmo kernel new` writes: an activation with its gradient, to be changed into another. */
import type { Skeleton } from './write.ts';

export const kernelSkeleton: Skeleton = {
  kind: 'kernel',
  pattern: /^[a-z][A-Za-z0-9]*$/,
  rule: 'letters and digits, beginning with a small letter, as softSign',
  files: (name) => ({ '.mjs': kernel(name), '.test.mjs': test(name) }),
  next: (path, test) => [`node --test ${test}`, `proxmo bench --kernel ${path} --shape count=1048576`],
};

const kernel = (
  name: string,
) => `// The activation ${name}, with its gradient. How a kernel is made: docs/kernels.md of proxmo.
// It is x / (1 + |x|) to begin with. Change the four lines that are marked to make it another.
import {
  defineKernel,
  differentiable,
  elementDispatch,
  elementVariants,
  launch,
  shader,
} from 'proxmo/kernels';

// 1 and 2: on the device, in WGSL. Numbers may be f32 or vec4<f32>, so constants are multiplied or added, not compared.
const value = 'x[i] / (1.0 + abs(x[i]))';
const slope = 'dy[i] / ((1.0 + abs(x[i])) * (1.0 + abs(x[i])))';

// 3 and 4: what is right, in JavaScript's float64.
const valueOf = (x) => x / (1 + Math.abs(x));
const slopeOf = (x) => 1 / (1 + Math.abs(x)) ** 2;

/** How far the device may be from that, and why: a few roundings of float32. */
const tolerance = { absolute: 1e-6, relative: 1e-5 };

const shaderOf = (file, assignment) =>
  shader(
    file,
    \`
//#include "lib/elements.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = workgroupNumber(workgroup, workgroups);
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
    \${assignment};
  }
}
\`,
  );

/** What both directions share. @param names of the arrays, the written one last */
const kernelOf = (name, names, assignment, reference) =>
  defineKernel({
    name,
    shader: shaderOf(\`\${name}.wgsl\`, assignment),
    bindings: Object.fromEntries(
      names.map((binding, at) => [binding, { dtype: 'f32', access: at === names.length - 1 ? 'write' : 'read' }]),
    ),
    params: { count: 'u32' },
    variants: elementVariants(names),
    sizes: ({ count }) => Object.fromEntries(names.map((binding) => [binding, count])),
    dispatch: elementDispatch,
    cost: ({ count }) => ({ flops: 4 * count, bytes: 4 * names.length * count }),
    reference,
    cases: [1, 0, 63, 260, 70_001].map((count) => ({ params: { count } })),
    tolerance,
  });

export const ${name}Kernel = kernelOf('${name}', ['x', 'y'], \`y[i] = \${value}\`, ({ x }) => ({ y: x.map(valueOf) }));
export const ${name}Backward = kernelOf('${name}Backward', ['x', 'dy', 'dx'], \`dx[i] = \${slope}\`, ({ x, dy }) => ({
  dx: x.map((each, i) => dy[i] * slopeOf(each)),
}));

/** The op. @param x a tensor of any shape @returns a tensor of the same shape */
export const ${name} = (x) => {
  const params = { count: x.size };
  const { y } = launch(${name}Kernel, params, { x }, { y: x.shape });
  return differentiable('${name}', [x], y, (dy) => [
    launch(${name}Backward, params, { x, dy }, { dx: x.shape }).dx,
  ]);
};

/** The same in float64, for tests. */
export const reference = valueOf;
`;

const test = (name: string) => `// The test of ${name}: node --test ${name}.test.mjs
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Engine } from 'proxmo/engine';
import { checkKernel, gradientMismatch } from 'proxmo/kernels';
import { openDevice } from 'proxmo/node';
import { ${name}, ${name}Backward, ${name}Kernel, reference } from './${name}.mjs';

const gpu = await openDevice();
after(() => gpu.destroy());

for (const kernel of [${name}Kernel, ${name}Backward])
  test(\`\${kernel.name} is as its reference, in every variant and case\`, async () => {
    assert.equal(await checkKernel(gpu, kernel), null);
  });

test('the gradient is as finite differences', async () => {
  const mismatch = await gradientMismatch(new Engine(gpu), {
    inputs: { x: [5, 7] },
    tolerance: { absolute: 1e-4, relative: 1e-4 },
    build: ({ x }) => ${name}(x),
    reference: ({ x }) => x.map(reference),
  });
  assert.equal(mismatch, null);
});
`;

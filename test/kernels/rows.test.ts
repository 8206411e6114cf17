/** Rows that subgroups reduce (shaders/lib/row.wgsl), whichever invocations are in one. */
import { describe, expect, it } from 'vitest';
import { rowVariants } from '../../kernels/rows.ts';
import { defineKernel, type KernelSpec, type Params, type Variant } from '../../kernels/spec.ts';
import row from '../../shaders/lib/row.wgsl';
import { checkVariant, readyCase } from '../../src/gpu/kernelCheck.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { wgslFile } from '../support/shaders.ts';

const width = 128;
/** An order of lanes that puts neighbours into different subgroups: where invocation `local` stands in it. */
const shuffled = '(local % 4u * 32u + local / 4u)';

/** A kernel of one workgroup on x `[width]`, with the functions of row.wgsl. */
function kernelOf(main: string, variant: Variant, reference: (x: Float64Array) => Float64Array): KernelSpec {
  return defineKernel<Params>({
    name: 'shuffled',
    shader: wgslFile(
      `//#include "lib/row.wgsl"
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) local: u32) {
${main}
}`,
      [{ ...row, name: 'lib/row.wgsl' }],
    ),
    bindings: { x: { dtype: 'f32', access: 'read' }, y: { dtype: 'f32', access: 'write' } },
    params: { width: 'u32' },
    variants: [variant],
    sizes: () => ({ x: width, y: 2 * width }),
    dispatch: () => [1, 1, 1],
    cost: () => ({ flops: 0, bytes: 0 }),
    reference: ({ x }) => ({ y: reference(x!) }),
    cases: [{ params: { width }, inputs: () => ({ x }) }],
    tolerance: { absolute: 1e-5, relative: 1e-5 },
  });
}

const x = Float64Array.from({ length: width }, (_, i) => Math.fround(Math.sin(i)));
const check = async (adapter: string, spec: KernelSpec) =>
  checkVariant(
    await testDevice(adapter),
    spec,
    spec.variants[0]!,
    readyCase(spec, spec.cases[0]!, () => 0),
  );

describe.each(testAdapters)('on %s', (adapter) => {
  it('reduces a row whose neighbouring lanes are in different subgroups', async () => {
    const [variant] = rowVariants([]).filter(({ constants }) => constants.SUBGROUPS && !constants.VECTOR);
    const spec = kernelOf(
      `  let lane = ${shuffled};
  y[2u * lane] = rowSum(x[lane], lane);
  y[2u * lane + 1u] = rowMax(x[lane], lane);`,
      variant!,
      (values) => {
        const result = [values.reduce((sum, value) => sum + value, 0), Math.max(...values)];
        return Float64Array.from({ length: 2 * width }, (_, i) => result[i % 2]!);
      },
    );
    expect(await check(adapter, spec)).toBeNull();
  });

  it('numbers the subgroups of a workgroup, and the lanes of each', async () => {
    const { subgroupMinSize: lanes } = (await testDevice(adapter)).profile;
    const spec = kernelOf(
      `  let at = 2u * (teamOf(${shuffled}) * LANES + subgroupExclusiveAdd(1u));
  y[at] = 1.0 + x[local] - x[local];
  y[at + 1u] = rowSum(1.0, 0u);`,
      {
        label: 'teams',
        constants: {
          ...{ SUBGROUP: true, TEAMED: true, TEAMS: width / lanes, WORKGROUP: width },
          ...{ VECTOR: false, COOPERATIVE: false, SUBGROUPS: false },
        },
        subgroupSize: lanes,
      },
      () => Float64Array.from({ length: 2 * width }, (_, i) => (i % 2 === 0 ? 1 : lanes)),
    );
    expect(await check(adapter, spec)).toBeNull();
  });
});

/** `proxmo doctor --kernels`: what it says of kernels that are right, wrong, broken, and unable to run. */
import { describe, expect, it } from 'vitest';
import { fill } from '../../kernels/fill.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { checkKernels, describeFindings } from '../../src/cli/doctor/kernelChecks.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { proxmo } from '../support/cli.ts';
import { wgslFile } from '../support/shaders.ts';

const right = fill as unknown as KernelSpec;
const wrong = {
  ...right,
  name: 'wrong',
  reference: (inputs, params) => ({ y: Float64Array.from(right.reference(inputs, params).y ?? [], (y) => y + 1) }),
} as KernelSpec;
const broken = { ...right, name: 'broken', shader: wgslFile('oops') } as KernelSpec;

describe.each(testAdapters)('on %s', (adapter) => {
  it('tells right kernels from wrong and broken ones', async () => {
    const findings = await checkKernels(await testDevice(adapter), [right, wrong, broken]);
    expect(findings.map(({ kernel, problems }) => [kernel, problems.length > 0])).toEqual([
      ['fill', false],
      ['wrong', true],
      ['broken', true],
    ]);
    expect(findings[1]?.problems[0]).toMatch(/count=1 .*y\[0\] is .*, not /);
    expect(findings[2]?.problems[0]).toMatch(/does not compile/);
    expect(describeFindings(findings)).toMatch(/^1 of 3 kernels are right, 2 wrong, 0 left out/m);
  });
});

it('checks kernels by name, and says so where none has it', async () => {
  const { code, stdout } = await proxmo(['doctor', '--kernels', 'vocabFinish', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject([{ kernel: 'vocabFinish', variants: ['f32'], problems: [], leftOut: null }]);
  expect(await proxmo(['doctor', '--kernels', 'nothing'])).toMatchObject({ code: 2, stdout: '' });
});

/** A program as `proxmo gpu-report` starts for a part, whose kernels fail in the ways in which kernels can. */
import { fill } from '../../kernels/fill.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { kernelPart, type Part } from '../../src/cli/gpuReport/parts.ts';
import { Records } from '../../src/cli/gpuReport/records.ts';
import { deviceFailed, workOn } from '../../src/cli/gpuReport/worker.ts';
import { openDevice } from '../../src/gpu/device.node.ts';

const right = fill as unknown as KernelSpec;
const gpu = await openDevice('swiftshader');
const failing = (name: string, fail: () => void) =>
  ({
    ...right,
    name,
    reference: (inputs, params) => {
      fail();
      return right.reference(inputs, params);
    },
  }) as KernelSpec;

const part: Part = kernelPart([
  right,
  {
    ...right,
    name: 'wrong',
    reference: (inputs, params) => ({ y: Float64Array.from(right.reference(inputs, params).y ?? [], (y) => y + 1) }),
  } as KernelSpec,
  failing('thrown', () => {
    throw new Error('an error of another kind');
  }),
  failing('lost', () => gpu.device.destroy()),
  failing('crash', () => process.kill(process.pid, 'SIGKILL')),
  { ...right, name: 'last' },
]);

const dir = process.argv[process.argv.indexOf('--out') + 1]!;
const works = await workOn(part, gpu, { version: 'test', records: new Records(dir), seconds: 60, onItem: () => {} });
process.exit(works ? 0 : deviceFailed);

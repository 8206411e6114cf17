/** Every kernel there is. Tests and benches walk this list. */
import { copy, copyU32 } from './copy.ts';
import { elementwiseKernels } from './elementwise.ts';
import { fill } from './fill.ts';
import type { KernelSpec } from './spec.ts';

export const kernels: readonly KernelSpec[] = [copy, copyU32, fill, ...elementwiseKernels] as unknown as readonly KernelSpec[];

/** Inputs for kernels under test, the same each time for a seed. */
import type { KernelCase, KernelSpec } from '../../kernels/spec.ts';
import { type CaseInputs, inputsOf, type ReadyCase, readyCase } from '../../src/gpu/kernelCheck.ts';
import { Random } from '../../src/tensor/random.ts';

/** Inputs of a case, rounded to what the device gets. */
export function makeInputs(spec: KernelSpec, kernelCase: KernelCase, seed: number): CaseInputs {
  const random = new Random(seed, spec.name);
  return inputsOf(spec, kernelCase, () => random.normal());
}

export function makeReady(spec: KernelSpec, kernelCase: KernelCase, seed: number): ReadyCase {
  return readyCase(spec, kernelCase, makeInputs(spec, kernelCase, seed));
}

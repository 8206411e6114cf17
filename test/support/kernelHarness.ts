/** Inputs for kernels under test, the same each time for a seed. */
import type { KernelCase, KernelSpec } from '../../kernels/spec.ts';
import { type CaseInputs, inputsOf, type ReadyCase, readyCase } from '../../src/gpu/kernelCheck.ts';
import { Random } from '../../src/tensor/random.ts';

/** Inputs of a case, rounded to what the device gets. */
export function makeInputs(spec: KernelSpec, kernelCase: KernelCase, seed: number): CaseInputs {
  return inputsOf(spec, kernelCase, numbersFor(spec, seed));
}

export function makeReady(spec: KernelSpec, kernelCase: KernelCase, seed: number): ReadyCase {
  return readyCase(spec, kernelCase, numbersFor(spec, seed));
}

function numbersFor({ name }: KernelSpec, seed: number): () => number {
  const random = new Random(seed, name);
  return () => random.normal();
}

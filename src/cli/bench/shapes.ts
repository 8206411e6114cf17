/** Shapes that the command line names: `--shape m=512,n=512,k=128`. */
import { InvalidArgumentError } from 'commander';
import type { KernelCase, KernelSpec, Params } from '../../../kernels/spec.ts';
import { ProxmoError } from '../../base/errors.ts';
import { caseForShape } from '../../gpu/tuner.ts';
import { ownCases } from './gpuCases.ts';

/** @throws {InvalidArgumentError} if it is no list of names and numbers */
export function parseShape(text: string): Params {
  const entries = text.split(/[,\s]+/).map((part) => {
    const [, name, digits] = /^([A-Za-z]\w*)=(\d+(?:\.\d+)?)$/.exec(part) ?? [];
    if (name === undefined || digits === undefined)
      throw new InvalidArgumentError('It must be names and numbers, as m=512,n=512,k=128.');
    return [name, Number(digits)] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * A kernel's cases in the shapes named. What a shape leaves out is as in the kernel's first bench case.
 * @throws {ProxmoError} `usage` if the kernel has no such parameter, or its inputs cannot be told from a shape
 */
export function casesOfShapes(spec: KernelSpec, shapes: readonly Params[]): readonly KernelCase[] {
  const usual = ownCases(spec)[0]?.kernelCase.params ?? {};
  return shapes.map((shape) => {
    const unknown = Object.keys(shape).find((name) => !(name in spec.params));
    if (unknown !== undefined)
      throw new ProxmoError(
        'usage',
        `The kernel ${spec.name} has no ${unknown}; its parameters are ${Object.keys(spec.params).join(', ')}. Name kernels by --filter.`,
      );
    const missing = Object.keys(spec.params).find((name) => !(name in shape) && !(name in usual));
    if (missing !== undefined)
      throw new ProxmoError('usage', `The kernel ${spec.name} has no bench case, so --shape must name ${missing} too.`);
    const kernelCase = caseForShape(spec, { ...usual, ...shape });
    if (kernelCase) return kernelCase;
    throw new ProxmoError(
      'usage',
      `The kernel ${spec.name} reads indices, which no shape tells; it is measured on its own cases, without --shape.`,
    );
  });
}

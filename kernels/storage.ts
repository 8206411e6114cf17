/**
 * Forms of a kernel by how it stores what it reads and writes: all in float32, or some of it in f16. Both compute in
 * float32: f16 is widened as it is read, and rounded as it is written (shaders/lib/stored.wgsl). An f16 form has the
 * variants, cases and reference of its kernel.
 */
import type { KernelSpec, Params } from './spec.ts';

/** How activations are stored. */
export type FloatStorage = 'f32' | 'f16';

/** The largest number that f16 holds. */
export const largestHalf = 65504;

/**
 * Neighbours in f16 are at most this far apart, relative to a number of at least 2^-14, and `subnormalSpacing` below
 * that.
 */
const halfSpacing = 2 ** -10;
const subnormalSpacing = 2 ** -24;

/** Elements of a kernel that does not name their type. */
const defaultElement = 'vec4<f32>';

/**
 * A kernel whose shader may call `stored` for what it writes.
 * @param half bindings that are in f16; where there are any, the kernel's name ends in `.f16`
 */
export function withStorage<P extends Params>(spec: KernelSpec<P>, half: readonly string[] = []): KernelSpec<P> {
  const written = half.filter((name) => spec.bindings[name]?.access !== 'read');
  const narrows = written.length > 0;
  const variants = spec.variants.map((variant) => {
    const element = String(variant.constants.ELEMENT ?? defaultElement);
    const stored = narrows ? element.replace('f32', 'f16') : element;
    const words = element.replace('f32', 'u32');
    return {
      ...variant,
      constants: { ...variant.constants, ELEMENT: element, STORED: stored, WORDS: words, HALF: narrows },
    };
  });
  if (half.length === 0) return { ...spec, variants };
  const { absolute, relative } = spec.tolerance;
  return {
    ...spec,
    name: `${spec.name}.f16`,
    variants,
    bindings: Object.fromEntries(
      Object.entries(spec.bindings).map(([name, binding]) => [
        name,
        half.includes(name) ? { ...binding, dtype: 'f16' } : binding,
      ]),
    ),
    cost: (params) => {
      const { flops, bytes } = spec.cost(params);
      const sizes = spec.sizes(params);
      return { flops, bytes: bytes - half.reduce((saved, name) => saved + 2 * (sizes[name] ?? 0), 0) };
    },
    reference: (inputs, params) => {
      const result = spec.reference(inputs, params);
      const clamped = written.map((name) => [name, Array.from(result[name] ?? [], clampedToHalf)]);
      return { ...result, ...Object.fromEntries(clamped) };
    },
    // What is written may be either neighbour of the result in f16.
    tolerance: narrows ? { absolute: absolute + subnormalSpacing, relative: relative + halfSpacing } : spec.tolerance,
  };
}

/** A finite number within the range of f16; what is not finite stays so. */
export function clampedToHalf(x: number): number {
  return Number.isFinite(x) ? Math.min(largestHalf, Math.max(-largestHalf, x)) : x;
}

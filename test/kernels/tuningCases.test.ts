/**
 * Which kernels are tuned: all that have a choice on some adapter. Those that work in place run the variant of the
 * kernel that they are a form of.
 */
import { describe, expect, it } from 'vitest';
import { kernels } from '../../kernels/index.ts';

describe('a kernel with several variants', () => {
  const able = kernels.filter(({ variants, inPlaceOf }) => variants.length > 1 && !inPlaceOf);
  const readsIntegers = able.filter(({ bindings }) =>
    Object.values(bindings).some(({ access, dtype }) => access !== 'write' && dtype === 'u32'),
  );

  it.each(readsIntegers.map((spec) => [spec.name, spec] as const))(
    '%s, which reads whole numbers, has contents of them to be tuned on',
    (_, spec) => {
      const { params } = (spec.benchCases ?? spec.cases).at(-1)!;
      const tuned = spec.tuningCase?.(params);
      expect(tuned?.params).toEqual(params);
      const inputs = tuned!.inputs!(() => 0.5);
      for (const [name, { access, dtype }] of Object.entries(spec.bindings)) {
        if (access !== 'write' && dtype === 'u32') expect(inputs[name], name).toHaveLength(spec.sizes(params)[name]!);
      }
    },
  );
});

/** Which buffers one dispatch may bind twice. */
import type { RunnableKernel } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import type { BufferRange } from '../gpu/bindGroups.ts';

/**
 * WebGPU forbids a dispatch to read and write one buffer, even at ranges apart from each other, and to write one range
 * through two bindings.
 * @param ranges in the order of the kernel's bindings
 * @throws {ProxmoError} `graph` if it would
 */
export function checkAliases(
  { name, bindings }: Pick<RunnableKernel, 'name' | 'bindings'>,
  ranges: readonly BufferRange[],
) {
  const bound = Object.entries(bindings).map(([binding, { access }], index) => ({
    binding,
    writes: access !== 'read',
    range: ranges[index]!,
  }));
  bound.forEach((one, index) => {
    for (const other of bound.slice(index + 1)) {
      if (one.range.buffer !== other.range.buffer || (!one.writes && !other.writes)) continue;
      if (one.writes && other.writes && !overlap(one.range, other.range)) continue;
      const does = one.writes && other.writes ? 'write one range twice' : 'read and write one buffer';
      throw new ProxmoError(
        'graph',
        `${name} would ${does} in one dispatch (bindings ${one.binding} and ${other.binding}); copy one of the tensors first.`,
      );
    }
  });
}

function overlap(a: BufferRange, b: BufferRange): boolean {
  return a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

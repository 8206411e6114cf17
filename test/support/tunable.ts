/** A kernel for tests of tuning, y = 2a: some variants dawdle, one is wrong, and one does not compile. */
import type { KernelSpec, Variant } from '../../kernels/spec.ts';
import type { TuningRecord, TuningStore } from '../../src/gpu/tuner.ts';
import { wgslFile } from './shaders.ts';

const shader = wgslFile(`
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.count) { return; }
  var x = a[id.x];
  for (var turn = 0u; turn < TURNS; turn++) { x = sin(x); }
  y[id.x] = select(FACTOR * a[id.x], x, x > 100.0)$TAIL;
}`);

const variant = (label: string, turns: number, factor = 2.5, tail = ''): Variant<{ count: number }> => ({
  label,
  constants: { TURNS: turns, FACTOR: factor, TAIL: tail },
});

export const slow = variant('slow', 2000);
export const slower = variant('slower', 20_000);
export const quick = variant('quick', 0);
export const wrong = variant('wrong', 0, 3.5);
export const broken = variant('broken', 0, 2.5, ' + nothing');

export function tunable(...variants: readonly Variant<{ count: number }>[]): KernelSpec<{ count: number }> {
  return {
    name: `tunable.${variants.map(({ label }) => label).join('.')}`,
    shader,
    bindings: { a: { dtype: 'f32', access: 'read' }, y: { dtype: 'f32', access: 'write' } },
    params: { count: 'u32' },
    variants,
    sizes: ({ count }) => ({ a: count, y: count }),
    dispatch: ({ count }) => [Math.ceil(count / 64), 1, 1],
    cost: ({ count }) => ({ flops: count, bytes: 8 * count }),
    reference: ({ a }) => ({ y: a!.map((x) => 2.5 * x) }),
    cases: [{ params: { count: 1 } }],
    tolerance: { absolute: 1e-6, relative: 1e-6 },
  };
}

/** A store in memory. */
export class MemoryStore implements TuningStore {
  constructor(readonly records = new Map<string, TuningRecord>()) {}

  get(key: string): TuningRecord | undefined {
    return this.records.get(key);
  }

  async set(key: string, record: TuningRecord): Promise<void> {
    this.records.set(key, record);
  }
}

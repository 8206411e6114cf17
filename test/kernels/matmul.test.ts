/** Which variant of a matrix product an adapter runs by default. */
import { describe, expect, it } from 'vitest';
import { findMatmul } from '../../kernels/matmul.ts';
import type { MatmulForm } from '../../kernels/matmulVariants.ts';
import { type AdapterProfile, defaultVariant, type SubgroupMatrixConfig } from '../../kernels/spec.ts';

const unit16: SubgroupMatrixConfig = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 };

const gpu: AdapterProfile = {
  kind: 'gpu',
  driver: 'hardware',
  features: new Set(['shader-f16', 'subgroups', 'subgroup-size-control', 'chromium-experimental-subgroup-matrix']),
  maxInvocations: 1024,
  maxWorkgroupBytes: 32_768,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  subgroupMatrixConfigs: [{ ...unit16, resultComponentType: 'f16' }, unit16],
};

const layer = { m: 4096, n: 4864, k: 896, batch: 1, splits: 1 };

function chosen(form: MatmulForm, adapter = gpu, params = layer): string {
  return defaultVariant(findMatmul(form)!, adapter, params).label;
}

describe('half products', () => {
  const half = { layout: 'nt', b: 'f16' } as const;

  it('run in matrix units, in the largest tiles of which there are enough', () => {
    expect(chosen(half)).toBe('matrix.f16.128x128x32.16x16x16x32');
    expect(chosen({ layout: 'nn', b: 'f16' })).toContain('matrix.f16.128x128');
    expect(chosen({ layout: 'tn', b: 'f16' })).toContain('matrix.f16.128x128');
    expect(chosen(half, gpu, { ...layer, m: 256 })).toContain('matrix.f16.64x64');
    expect(chosen(half, gpu, { ...layer, m: 16, n: 256 })).toContain('tile.f16.16x64');
  });

  it('run in tiles where units of no such kind are known', () => {
    const without = (changes: Partial<AdapterProfile>) => chosen(half, { ...gpu, ...changes });
    expect(without({ subgroupMatrixConfigs: [] })).toContain('tile.f16.128x128');
    expect(without({ subgroupMatrixConfigs: [{ ...unit16, resultComponentType: 'f16' }] })).toContain(
      'tile.f16.128x128',
    );
    expect(without({ subgroupMinSize: 64, subgroupMaxSize: 64 })).toContain('tile.f16.128x128');
    expect(without({ maxWorkgroupBytes: 16_384 })).toContain('matrix.f16.64x64');
  });

  it('run in subgroups of the units’ size where an adapter has several', () => {
    expect(chosen(half, { ...gpu, subgroupMaxSize: 64 })).toContain('matrix.f16.128x128');
  });

  it('read lines in quads: odd ones are for the tile that reads scalars', () => {
    expect(chosen(half, gpu, { ...layer, k: 898 })).toBe('tile.f16.64x64x16');
  });
});

describe('products in float32', () => {
  it('never run in matrix units', () => {
    expect(chosen({ layout: 'nt' })).toBe('tile.f32.128x128x16.vector');
  });
});

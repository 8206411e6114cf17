/** What adapters are taken for, from the little that browsers say of them. */
import { describe, expect, it } from 'vitest';
import { describeAdapter } from '../../src/gpu/adapterDescription.ts';

const limits = { maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupStorageSize: 32_768 };

describe('describeAdapter', () => {
  it.each([
    ['Dawn under Node', { info: { device: 'RTX', vendor: 'nvidia', description: '550.1' } }, 'RTX', 'gpu', 'hardware'],
    ['a browser that describes', { info: { device: '', description: 'Apple M2' } }, 'Apple M2', 'gpu', 'hardware'],
    ['Chromium', { info: { vendor: 'nvidia', architecture: 'ampere' } }, 'nvidia ampere', 'gpu', 'hardware'],
    [
      "Chromium's software driver",
      { info: { vendor: 'google', architecture: 'swiftshader', isFallbackAdapter: true } },
      'google swiftshader',
      'cpu',
      'swiftshader',
    ],
    ['Firefox', { info: { vendor: '', architecture: '', device: '', description: '' } }, 'a GPU', 'gpu', 'hardware'],
    ['Firefox on a CPU', { info: { isFallbackAdapter: true } }, 'a software adapter', 'cpu', 'lavapipe'],
    ['an older browser on a CPU', { isFallbackAdapter: true }, 'a software adapter', 'cpu', 'lavapipe'],
    [
      'Deno, which names by numbers',
      { info: { vendor: '65541', device: '0', description: 'llvmpipe (LLVM 15.0.6, 256 bits)' } },
      'llvmpipe (LLVM 15.0.6, 256 bits)',
      'cpu',
      'lavapipe',
    ],
    ['a device without an adapter', {}, 'a GPU', 'gpu', 'hardware'],
  ] as const)('knows %s', (_, adapter, name, kind, driver) => {
    const described = describeAdapter(adapter, new Set(['subgroups', 'texture-compression-bc']), limits);
    expect(described).toMatchObject({
      name,
      profile: { kind, driver, maxInvocations: 1024, maxWorkgroupBytes: 32_768 },
    });
    expect([...described.profile.features]).toEqual(['subgroups']);
  });
});

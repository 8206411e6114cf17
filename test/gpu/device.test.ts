/** Opening devices, and how what goes wrong on them surfaces. */
import { describe, expect, it } from 'vitest';
import { openDevice } from '../../src/gpu/device.node.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { needs } from '../support/needs.ts';

describe('openDevice', () => {
  it('says what there is and what to install when there is no such adapter', async () => {
    await expect(openDevice('no-such-gpu')).rejects.toMatchObject({
      code: 'no-device',
      message: expect.stringMatching(
        /^No WebGPU adapter "no-such-gpu" was found; choose by a part of its name what there is \(.+\), or install .*mesa-vulkan-drivers.*@sparticuz\/chromium\.$/,
      ),
    });
  });

  it.each(testAdapters)('opens %s by what it calls itself, and by its kind', async (name) => {
    const { adapter } = await testDevice(name);
    const kind = adapter.profile.kind === 'gpu' ? 'hardware' : 'software';
    for (const choice of [adapter.name, adapter.name.toUpperCase(), kind]) {
      const gpu = await openDevice(choice);
      expect(gpu.profile.kind).toBe(adapter.profile.kind);
      if (choice !== kind) expect(gpu.adapter.name).toBe(adapter.name);
      gpu.destroy();
    }
  });

  it('prefers the software driver of the system', needs('lavapipe', testAdapters.includes('lavapipe')), async () => {
    const gpu = await openDevice('software');
    expect(gpu.profile.driver).toBe('lavapipe');
    gpu.destroy();
    await expect(openDevice('hardware')).rejects.toThrow(/^No WebGPU adapter "hardware" was found; .*llvmpipe/);
  });

  it.each(testAdapters)('asks %s for its full limits', async (name) => {
    const gpu = await openDevice(name);
    expect(gpu.device.limits.maxStorageBufferBindingSize).toBe(gpu.adapter.limits.maxStorageBufferBindingSize);
    expect(gpu.device.limits.maxBufferSize).toBeGreaterThan(2 ** 28);
    gpu.destroy();
  });
});

describe.each(testAdapters)('errors on %s', (name) => {
  it('turns an uncaptured error into a typed one', async () => {
    const gpu = await openDevice(name);
    const buffer = gpu.device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST });
    gpu.device.queue.writeBuffer(buffer, 8, new Float32Array(4));
    await expect(gpu.idle()).rejects.toMatchObject({ code: 'gpu-error' });
    gpu.destroy();
  });

  it('turns a lost device into a typed error', async () => {
    const gpu = await openDevice(name);
    gpu.device.destroy();
    await gpu.device.lost;
    expect(() => gpu.check()).toThrow(expect.objectContaining({ code: 'device-lost' }));
  });

  it('refuses a buffer beyond the device limits before asking for it', async () => {
    const gpu = await openDevice(name);
    expect(() => gpu.createStorage(2 ** 40, 'activations')).toThrow(
      /^activations needs a buffer of 1048576\.0 MiB, but .* allows/,
    );
    gpu.destroy();
  });
});

/** Devices and buffers that a program has made itself, and what happens when there is no memory. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openBrowserDevice } from '../../src/gpu/browserDevice.ts';
import { GpuContext } from '../../src/gpu/context.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import { multiply, scale } from '../../src/ops/elementwise.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { constant, input } from '../../src/tensor/tensor.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { testAdapters } from '../support/adapters.ts';
import { scarceDevice } from '../support/scarceDevice.ts';

const adapter = testAdapters[0]!;
const values = Float32Array.of(1, 2, 3, 4, 5);
const { COPY_DST, COPY_SRC, MAP_READ } = { COPY_DST: 8, COPY_SRC: 4, MAP_READ: 1 };

const tripled = (engine: Engine) =>
  engine.compile({ name: 'tripled', outputs: { y: scale(input('x', [5]), 3), z: scale(input('x2', [1]), 2) } });
const inputs = { x: values, x2: Float32Array.of(7) };

describe('a device of the program itself', () => {
  it('computes, keeps the errors of others apart, and outlives the context', async () => {
    const { device } = await openDevice(adapter);
    const gpu = GpuContext.fromDevice(device);
    const engine = new Engine(gpu);
    const program = await tripled(engine);
    device.queue.writeBuffer(device.createBuffer({ size: 16, usage: COPY_DST }), 8, new Float32Array(4));
    const { y } = await program.run(inputs);
    expect([...y!]).toEqual([3, 6, 9, 12, 15]);
    expect(gpu.memory().bytes).toBeGreaterThan(0);
    gpu.destroy();
    expect(gpu.memory().bytes).toBe(0);
    await expect(program.run(inputs)).rejects.toMatchObject({ code: 'destroyed' });
    const again = new Engine(GpuContext.fromDevice(device));
    expect([...(await (await tripled(again)).run(inputs)).z!]).toEqual([14]);
    device.destroy();
  });

  it('reports an error in its own commands', async () => {
    const { device } = await openDevice(adapter);
    const gpu = GpuContext.fromDevice(device);
    const buffer = device.createBuffer({ size: 16, usage: COPY_DST });
    gpu.issue(() => device.queue.writeBuffer(buffer, 8, new Float32Array(4)));
    await expect(gpu.idle().then(() => gpu.idle())).rejects.toMatchObject({ code: 'gpu-error' });
    device.destroy();
  });

  it.each([
    ['destroyed', (gpu: GpuContext): void => gpu.destroy()],
    ['device-lost', (gpu: GpuContext): void => void gpu.device.destroy()],
  ] as const)('tells when it is gone: %s', async (code, end) => {
    const gpu = await openDevice(adapter);
    end(gpu);
    expect(await gpu.lost).toMatchObject({ code });
  });
});

describe('buffers of the program itself', () => {
  it('are inputs and outputs, and need not visit the host', async () => {
    const gpu = await openDevice(adapter);
    const { device } = gpu;
    const program = await tripled(new Engine(gpu));
    const x = device.createBuffer({ size: 64, usage: COPY_DST | COPY_SRC });
    device.queue.writeBuffer(x, 16, values);
    const kept = device.createBuffer({ size: 20, usage: COPY_DST | MAP_READ });
    const { z, ...others } = await program.run({ ...inputs, x: { buffer: x, offset: 16 } }, { into: { y: kept } });
    expect([...z!]).toEqual([14]);
    expect(others).toEqual({});
    await kept.mapAsync(MAP_READ);
    expect([...new Float32Array(kept.getMappedRange())]).toEqual([3, 6, 9, 12, 15]);
    // Nothing of the run before is left over.
    expect([...(await program.run(inputs)).y!]).toEqual([3, 6, 9, 12, 15]);
    gpu.destroy();
  });

  it('are refused where they do not fit', async () => {
    const gpu = await openDevice(adapter);
    const program = await tripled(new Engine(gpu));
    const bufferOf = (size: number, usage: number) => gpu.device.createBuffer({ size, usage });
    const run = (x: GPUBuffer, into?: { y: GPUBuffer }) => program.run({ ...inputs, x }, into ? { into } : {});
    const good = bufferOf(20, COPY_SRC);
    await expect(run(bufferOf(16, COPY_SRC))).rejects.toThrow(
      /input x of the program tripled, f32 \[5\], needs 20 bytes/,
    );
    await expect(run(bufferOf(20, COPY_DST))).rejects.toThrow(/needs a buffer with usage COPY_SRC\.$/);
    await expect(run(good, { y: good })).rejects.toThrow(/the output y .* needs a buffer with usage COPY_DST\.$/);
    await expect(program.run(inputs, { into: { w: good } as never })).rejects.toThrow(/no output w; it has y, z\.$/);
    expect([...(await run(good)).z!]).toEqual([14]);
    gpu.destroy();
  });
});

describe('a device without memory', () => {
  const full = { code: 'out-of-memory', message: expect.stringMatching(/ has no [\d.]+ MiB for .+ beside the /) };

  it.each(['arena 0', 'tripled constants', 'tripled readback', 'parameters'])(
    'compiles nothing and stays usable, refusing %s',
    async (label) => {
      const owner = await openDevice(adapter);
      const scarce = scarceDevice(owner.device);
      const engine = new Engine(GpuContext.fromDevice(scarce.device));
      const compile = () =>
        engine.compile({ name: 'tripled', outputs: { y: multiply(input('x', [5]), constant(values, [5])) } });
      scarce.refuses = (descriptor) => descriptor.label === label;
      await expect(compile()).rejects.toMatchObject(full);
      scarce.refuses = () => false;
      expect([...(await (await compile()).run({ x: values })).y!]).toEqual([1, 4, 9, 16, 25]);
      await owner.idle();
      owner.destroy();
    },
  );

  it('tells of a variable when it is used, which can be tried again', async () => {
    const owner = await openDevice(adapter);
    const scarce = scarceDevice(owner.device);
    const engine = new Engine(GpuContext.fromDevice(scarce.device));
    const variable = new Variable('weights', [5]);
    scarce.refuses = ({ label }) => label === 'weights';
    engine.write(variable, values);
    await expect(engine.read(variable)).rejects.toMatchObject(full);
    scarce.refuses = () => false;
    engine.write(variable, values);
    expect([...(await engine.read(variable))]).toEqual([...values]);
    await owner.idle();
    owner.destroy();
  });
});

describe('openBrowserDevice', () => {
  afterEach(() => vi.unstubAllGlobals());

  it("opens the platform's device", async () => {
    const { device } = await openDevice(adapter);
    const { features, limits } = device;
    const info = { vendor: 'google', architecture: 'swiftshader', isFallbackAdapter: true };
    const found = { features, limits, info, requestDevice: async () => device };
    vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => found } });
    const gpu = await openBrowserDevice();
    expect(gpu.adapter).toMatchObject({ name: 'google swiftshader', profile: { kind: 'cpu', driver: 'swiftshader' } });
    expect([...(await (await tripled(new Engine(gpu))).run(inputs)).z!]).toEqual([14]);
    gpu.destroy();
    expect((await device.lost).reason).toBe('destroyed');
  });

  it.each([
    ['there is no WebGPU', {}, /there is no WebGPU here; use a page from https or localhost/],
    ['there is no adapter', { gpu: { requestAdapter: async () => null } }, /WebGPU finds no adapter; use/],
  ])('says so where %s', async (_, navigator, message) => {
    vi.stubGlobal('navigator', navigator);
    await expect(openBrowserDevice()).rejects.toMatchObject({
      code: 'no-device',
      message: expect.stringMatching(message),
    });
  });
});

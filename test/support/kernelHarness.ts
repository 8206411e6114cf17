/** Runs one case of a kernel variant on a device, between sentinels, and compares it with the spec's float64 reference. */
import { defaultVariant, type KernelCase, type KernelSpec, type Variant } from '../../kernels/spec.ts';
import { CommandList, readBuffer } from '../../src/gpu/commands.ts';
import type { GpuContext } from '../../src/gpu/context.ts';
import { Random } from '../../src/tensor/random.ts';

/** Elements on either side of each binding that no kernel may touch: 256 bytes, the alignment of a binding's offset. */
const guard = 64;
const sentinel = 0xdeadbeef;

type Arrays = Record<string, Float64Array>;

export interface KernelRun {
  readonly inputs: Arrays;
  /** The raw bits of each output. */
  readonly bits: Record<string, Uint32Array<ArrayBuffer>>;
  /** Names of bindings with a changed element outside their range. */
  readonly overruns: string[];
}

/** Inputs of a case in float64, rounded to what the device gets. */
export function makeInputs(spec: KernelSpec, { params, inputs }: KernelCase, seed: number): Arrays {
  const random = new Random(seed, spec.name);
  const given = inputs?.(() => random.normal()) ?? {};
  const sizes = spec.sizes(params);
  const arrays: Arrays = {};
  for (const [name, { access, dtype }] of Object.entries(spec.bindings)) {
    if (access === 'write') continue;
    const values = given[name] ?? Float64Array.from({ length: sizes[name] ?? 0 }, () => random.normal());
    if (values.length !== sizes[name])
      throw new Error(`${spec.name}: the case gives ${values.length} values for ${name}, not ${sizes[name]}`);
    arrays[name] = Float64Array.from(dtype === 'f32' ? Float32Array.from(values) : values);
  }
  return arrays;
}

export async function runKernel(
  gpu: GpuContext,
  spec: KernelSpec,
  variant: Variant,
  kernelCase: KernelCase,
  inputs: Arrays,
): Promise<KernelRun> {
  const { params } = kernelCase;
  const sizes = spec.sizes(params);
  const names = Object.keys(spec.bindings);
  const buffers = names.map((name) => {
    const size = sizes[name] ?? 0;
    const buffer = gpu.createStorage((Math.ceil(size / 4) * 4 + 2 * guard) * 4, name);
    const words = new Uint32Array(buffer.size / 4).fill(sentinel);
    const values = inputs[name];
    if (values) words.set(toBits(values, spec.bindings[name]!.dtype), guard);
    gpu.device.queue.writeBuffer(buffer, 0, words);
    return buffer;
  });
  const commands = new CommandList(
    gpu,
    [
      {
        kernel: await gpu.pipelines.get(spec, variant),
        spec,
        params,
        ranges: names.map((name, i) => ({ buffer: buffers[i]!, offset: guard * 4, size: Math.max(16, (sizes[name] ?? 0) * 4) })),
        dispatch: spec.dispatch(params, variant.constants),
      },
    ],
    spec.name,
  );
  const encoder = gpu.device.createCommandEncoder();
  commands.encode(encoder);
  gpu.device.queue.submit([encoder.finish()]);

  const bits: KernelRun['bits'] = {};
  const overruns: string[] = [];
  for (const [i, name] of names.entries()) {
    const size = sizes[name] ?? 0;
    const words = new Uint32Array(await readBuffer(gpu, { buffer: buffers[i]!, offset: 0, size: buffers[i]!.size }));
    const outside = [...words.subarray(0, guard), ...words.subarray(guard + size)];
    if (outside.some((word) => word !== sentinel)) overruns.push(name);
    if (spec.bindings[name]!.access !== 'read') bits[name] = words.slice(guard, guard + size);
    buffers[i]!.destroy();
  }
  commands.destroy();
  return { inputs, bits, overruns };
}

function toBits(values: Float64Array, dtype: string): Uint32Array {
  if (dtype === 'f32') return new Uint32Array(Float32Array.from(values).buffer);
  return dtype === 'i32' ? new Uint32Array(Int32Array.from(values).buffer) : Uint32Array.from(values);
}

export function fromBits(bits: Uint32Array<ArrayBuffer>, dtype: string): ArrayLike<number> {
  if (dtype === 'f32') return new Float32Array(bits.buffer, bits.byteOffset, bits.length);
  return dtype === 'i32' ? new Int32Array(bits.buffer, bits.byteOffset, bits.length) : bits;
}

/** The first element beyond the tolerance, as a sentence; null if there is none. NaN never passes where a number is expected. */
export function firstMismatch(spec: KernelSpec, params: KernelCase['params'], run: KernelRun): string | null {
  const expected = spec.reference(run.inputs, params);
  const { absolute, relative } = spec.tolerance;
  for (const [name, bits] of Object.entries(run.bits)) {
    const want = expected[name];
    if (!want) return `the reference gives no ${name}`;
    const got = fromBits(bits, spec.bindings[name]!.dtype);
    if (want.length !== got.length) return `${name} has ${want.length} elements in the reference, not ${got.length}`;
    for (let i = 0; i < got.length; i++) {
      const error = Math.abs(got[i]! - want[i]!);
      if (Object.is(got[i], want[i])) continue;
      if (!(error <= absolute + relative * Math.abs(want[i]!))) return `${name}[${i}] is ${got[i]}, not ${want[i]} (error ${error})`;
    }
  }
  return null;
}

/** The variants that a device can run for some parameters. */
export function runnableVariants(gpu: GpuContext, spec: KernelSpec, params: KernelCase['params']): readonly Variant[] {
  defaultVariant(spec, gpu.profile, params);
  return spec.variants.filter((variant) => variant.requires?.(gpu.profile, params) ?? true);
}

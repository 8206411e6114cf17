/** Runs one case of a kernel variant on a device, between sentinels, and compares it with the spec's float64 reference. */
import { ableVariants, type Dtype, elementBytes, type KernelCase, type KernelSpec, type Variant } from '../../kernels/spec.ts';
import { CommandList, readBuffer } from '../../src/gpu/commands.ts';
import type { GpuContext } from '../../src/gpu/context.ts';
import { fromStorage, storedBytes, toStorage } from '../../src/gpu/hostArrays.ts';
import { Random } from '../../src/tensor/random.ts';

/** Bytes on either side of each binding that no kernel may touch: the alignment of a binding's offset. */
const guard = 256;
const sentinel = 0xdb;

type Arrays = Record<string, Float64Array>;

export interface KernelRun {
  readonly inputs: Arrays;
  /** The raw bits of each output. */
  readonly bits: Record<string, Uint8Array<ArrayBuffer>>;
  /** Names of bindings with a changed byte outside their range. */
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
    arrays[name] = Float64Array.from(dtype === 'u32' || dtype === 'i32' ? values : roundedTo(dtype, values));
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
    const { dtype } = spec.bindings[name]!;
    const buffer = gpu.createStorage(Math.ceil(storedBytes(dtype, sizes[name] ?? 0) / 16) * 16 + 2 * guard, name);
    const bytes = new Uint8Array(buffer.size).fill(sentinel);
    const values = inputs[name];
    if (values) bytes.set(toBits(values, dtype), guard);
    gpu.device.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  });
  const commands = new CommandList(
    gpu,
    [
      {
        kernel: await gpu.pipelines.get(spec, variant),
        spec,
        params,
        ranges: names.map((name, i) => ({
          buffer: buffers[i]!,
          offset: guard,
          size: Math.max(16, storedBytes(spec.bindings[name]!.dtype, sizes[name] ?? 0)),
        })),
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
    const { dtype, access } = spec.bindings[name]!;
    const end = guard + (sizes[name] ?? 0) * elementBytes[dtype];
    const bytes = new Uint8Array(await readBuffer(gpu, { buffer: buffers[i]!, offset: 0, size: buffers[i]!.size }));
    const isOutside = (at: number) => at < guard || at >= end;
    if (bytes.some((byte, at) => byte !== sentinel && isOutside(at))) overruns.push(name);
    if (access !== 'read') bits[name] = bytes.slice(guard, end);
    buffers[i]!.destroy();
  }
  commands.destroy();
  return { inputs, bits, overruns };
}

function toBits(values: Float64Array, dtype: Dtype): Uint8Array {
  return new Uint8Array(toStorage(dtype, values).buffer, 0, values.length * elementBytes[dtype]);
}

export function fromBits(bits: Uint8Array<ArrayBuffer>, dtype: Dtype): ArrayLike<number> {
  return fromStorage(dtype, bits.buffer);
}

/** Values as storage has them. */
function roundedTo(dtype: Dtype, values: ArrayLike<number>): ArrayLike<number> {
  return fromBits(toBits(Float64Array.from(values), dtype).slice(), dtype);
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
  const able = ableVariants(spec, gpu.profile, params);
  if (able.length === 0) throw new Error(`no variant of ${spec.name} runs on ${gpu.adapter.name} for ${JSON.stringify(params)}`);
  return able;
}

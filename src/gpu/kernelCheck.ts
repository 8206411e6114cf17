/**
 * Runs one case of a kernel variant on a device, between sentinels, and compares it with the spec's float64 reference:
 * for tests, and for `doctor --kernels`, which does it on the adapter that will train.
 */
import {
  ableVariants,
  type Dtype,
  elementBytes,
  type KernelCase,
  type KernelSpec,
  type Params,
  type Variant,
} from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { normalNumbers } from './benchmark.ts';
import { CommandList, readBuffer, submitAll } from './commands.ts';
import type { GpuContext } from './context.ts';
import { asStored, fromStorage, storedBytes, toStorage } from './hostArrays.ts';
import { prepareLaunches } from './launches.ts';

/** Bytes on either side of each binding that no kernel may touch: the alignment of a binding's offset. */
const guard = 256;
const sentinel = 0xdb;

/** Values of each `read` and `readWrite` binding in float64. */
export type CaseInputs = Record<string, Float64Array>;

/** A case made ready: all of its variants get the same inputs, and are held against the same results. */
export interface ReadyCase {
  readonly params: Params;
  readonly inputs: CaseInputs;
  /** What the spec's reference makes of them. */
  readonly expected: Readonly<Record<string, ArrayLike<number>>>;
}

export interface KernelRun {
  /** The raw bits of each output. */
  readonly bits: Record<string, Uint8Array<ArrayBuffer>>;
  /** Names of outputs with a changed byte outside their range. */
  readonly overruns: string[];
}

/**
 * What is wrong with a variant's results, as a sentence; null if they are the reference's within the tolerance, twice
 * with the same bits, and nothing outside was written.
 * @throws {ProxmoError} `gpu-error` if the kernel does not compile or run
 */
export async function checkVariant(
  gpu: GpuContext,
  spec: KernelSpec,
  variant: Variant,
  ready: ReadyCase,
): Promise<string | null> {
  const once = () => runKernel(gpu, spec, variant, ready);
  const [run, again] = await Promise.all([once(), once()]);
  const mismatch = firstMismatch(spec, ready, run);
  if (mismatch) return mismatch;
  if (run.overruns.length > 0) return `it wrote outside ${run.overruns.join(', ')}`;
  const changed = Object.keys(run.bits).filter((name) => !haveEqualBits(run.bits[name]!, again.bits[name]!));
  return changed.length > 0 ? `a second run gave other bits of ${changed.join(', ')}` : null;
}

/**
 * Checks a kernel on an adapter: every case in every variant that the adapter can run, against its float64 reference,
 * between sentinels, twice for equal bits.
 * @returns the first thing that is wrong, as a sentence that names the variant and the case; null if nothing is
 * @throws {ProxmoError} `gpu-error` if it does not compile or run, `config` if there is nothing to check: no case, or
 * no variant that the adapter runs
 */
export async function checkKernel<P extends Params>(gpu: GpuContext, kernel: KernelSpec<P>): Promise<string | null> {
  const spec = kernel as unknown as KernelSpec;
  const random = normalNumbers();
  let checks = 0;
  for (const kernelCase of spec.cases) {
    const ready = readyCase(spec, kernelCase, random);
    for (const variant of ableVariants(spec, gpu.profile, kernelCase.params)) {
      const problem = await checkVariant(gpu, spec, variant, ready);
      if (problem) return `${variant.label} for ${JSON.stringify(kernelCase.params)}: ${problem}`;
      checks++;
    }
  }
  if (checks === 0)
    throw new ProxmoError(
      'config',
      `the kernel ${spec.name} has nothing to check on ${gpu.adapter.name}: give it cases, and a variant that every adapter runs.`,
    );
  return null;
}

/** Inputs of a case, rounded to what the device gets. @param random standard normal numbers */
export function inputsOf(spec: KernelSpec, { params, inputs }: KernelCase, random: () => number): CaseInputs {
  const given = inputs?.(random) ?? {};
  const sizes = spec.sizes(params);
  const arrays: CaseInputs = {};
  for (const [name, { access, dtype }] of Object.entries(spec.bindings)) {
    if (access === 'write') continue;
    const values = given[name] ?? Float64Array.from({ length: sizes[name] ?? 0 }, random);
    if (values.length !== sizes[name])
      throw new Error(`${spec.name}: the case gives ${values.length} values for ${name}, not ${sizes[name]}`);
    arrays[name] = Float64Array.from(asStored(dtype, values));
  }
  return arrays;
}

/** @param random standard normal numbers */
export function readyCase(spec: KernelSpec, kernelCase: KernelCase, random: () => number): ReadyCase {
  const { params } = kernelCase;
  const inputs = inputsOf(spec, kernelCase, random);
  return { params, inputs, expected: spec.reference(inputs, params) };
}

/** Runs a variant once. @throws {ProxmoError} `gpu-error` if it does not compile or run */
export async function runKernel(
  gpu: GpuContext,
  spec: KernelSpec,
  variant: Variant,
  { params, inputs }: Pick<ReadyCase, 'params' | 'inputs'>,
): Promise<KernelRun> {
  const sizes = spec.sizes(params);
  const bindings = Object.entries(spec.bindings).map(([name, { dtype, access }]) => {
    const count = sizes[name] ?? 0;
    return { name, dtype, access, count, buffer: guardedBuffer(gpu, name, dtype, count, inputs[name]) };
  });
  const ranges = bindings.map(({ dtype, count, buffer }) => ({
    buffer,
    offset: guard,
    size: Math.max(16, storedBytes(dtype, count)),
  }));
  const commands = new CommandList(gpu, await prepareLaunches(gpu, { spec, variant, params, ranges }), spec.name);
  submitAll(gpu, commands.encode());

  const bits: KernelRun['bits'] = {};
  const overruns: string[] = [];
  // WebGPU itself keeps kernels from writing to what they read.
  const written = bindings.filter(({ access }) => access !== 'read');
  const read = await Promise.all(
    written.map(({ buffer }) => readBuffer(gpu, { buffer, offset: 0, size: buffer.size })),
  );
  for (const [index, { name, dtype, count }] of written.entries()) {
    const end = guard + count * elementBytes[dtype];
    const bytes = new Uint8Array(read[index]!);
    if (!areSentinels(bytes.subarray(0, guard)) || !areSentinels(bytes.subarray(end))) overruns.push(name);
    bits[name] = bytes.slice(guard, end);
  }
  for (const { buffer } of bindings) buffer.destroy();
  commands.destroy();
  return { bits, overruns };
}

function areSentinels(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === sentinel);
}

/** A binding's storage between sentinels, which also stand where it has no values. */
function guardedBuffer(
  gpu: GpuContext,
  name: string,
  dtype: Dtype,
  count: number,
  values: Float64Array | undefined,
): GPUBuffer {
  const buffer = gpu.createStorage(Math.ceil(storedBytes(dtype, count) / 16) * 16 + 2 * guard, name);
  const bytes = new Uint8Array(buffer.size).fill(sentinel);
  if (values) bytes.set(toBits(values, dtype), guard);
  gpu.device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}

/**
 * The first element beyond the tolerance, as a sentence; null if there is none. NaN never passes where a number is
 * expected.
 */
export function firstMismatch(
  spec: KernelSpec,
  { expected }: Pick<ReadyCase, 'expected'>,
  run: KernelRun,
): string | null {
  const { absolute, relative } = spec.tolerance;
  for (const [name, bits] of Object.entries(run.bits)) {
    const want = expected[name];
    if (!want) return `the reference gives no ${name}`;
    const got = fromStorage(spec.bindings[name]!.dtype, bits.buffer);
    if (want.length !== got.length) return `${name} has ${want.length} elements in the reference, not ${got.length}`;
    for (let i = 0; i < got.length; i++) {
      const error = Math.abs(got[i]! - want[i]!);
      if (Object.is(got[i], want[i])) continue;
      if (!(error <= absolute + relative * Math.abs(want[i]!)))
        return `${name}[${i}] is ${got[i]}, not ${want[i]} (error ${error})`;
    }
  }
  return null;
}

function haveEqualBits(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function toBits(values: Float64Array, dtype: Dtype): Uint8Array {
  return new Uint8Array(toStorage(dtype, values).buffer, 0, values.length * elementBytes[dtype]);
}

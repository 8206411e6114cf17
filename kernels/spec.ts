/**
 * What a kernel is, as data. A KernelSpec names a WGSL file, its bindings and parameters, its variants, the dispatch
 * for a shape, its cost, and a float64 reference. Everything else walks these: the program runs them, the tests check
 * them, the benches time them.
 *
 * The declarations of a shader (parameter struct, bindings, constants) are generated from its spec by `assembleShader`,
 * so they cannot differ. No WebGPU calls here.
 */

import { ProxmoError } from '../src/base/errors.ts';
import { type Constants, preprocess, type WgslFile } from './wgsl.ts';

export type { Constants } from './wgsl.ts';

/**
 * Types of elements in storage. f16 is for storage alone: kernels compute in float32, and on the host such values are
 * float32 too.
 */
export type Dtype = 'f32' | 'f16' | 'u32';

/** Bytes of an element in storage. */
export const elementBytes = { f32: 4, f16: 2, u32: 4 } as const satisfies Record<Dtype, number>;

/** `readWrite` bindings are updated in place; `write` bindings are written completely and never read. */
export type Access = 'read' | 'write' | 'readWrite';

/** An array that a kernel reads or writes. */
export interface BindingSpec {
  readonly dtype: Dtype;
  readonly access: Access;
}

/**
 * Scalar parameters of one dispatch, fixed when the program is compiled. They reach the shader as `params.<name>` in a
 * uniform buffer.
 */
export type Params = Readonly<Record<string, number>>;

/**
 * Matrices that a subgroup multiplies at once, M × K by K × N, and the types of their elements, as WebGPU names them
 * (`GPUAdapterInfo.subgroupMatrixConfigs`).
 */
export interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What a variant may ask of an adapter. */
export interface AdapterProfile {
  /**
   * `cpu` is a software driver: there a barrier is the expensive thing, and workgroup memory is no faster than storage.
   */
  readonly kind: 'gpu' | 'cpu';
  /** Name of the driver class, for defaults that differ between software drivers. */
  readonly driver: 'lavapipe' | 'swiftshader' | 'hardware';
  readonly features: ReadonlySet<string>;
  readonly maxInvocations: number;
  readonly maxWorkgroupBytes: number;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** Empty where there are no matrix units. */
  readonly subgroupMatrixConfigs: readonly SubgroupMatrixConfig[];
}

/** One form of a kernel, by the constants of its shader. */
export interface Variant<P extends Params = Params> {
  /** Last part of the kernel's label, as `tile.f32.64x64x16`. */
  readonly label: string;
  /** Constants for the shader; also read by `dispatch`. */
  readonly constants: Constants;
  /**
   * Bindings whose elements are vectors in this variant: `{ x: 4 }` declares `array<vec4<f32>>`. Sizes stay counted in
   * scalars.
   */
  readonly vector?: Readonly<Record<string, 2 | 4>>;
  /**
   * Bindings in f16 that this variant reads as words of u32, two elements each, where a driver reads a word as fast as
   * an element; `vector` counts words then.
   */
  readonly words?: readonly string[];
  /**
   * WGSL extensions, as `subgroups`. `f16` comes by itself where a binding stores it, and what `subgroupSize` needs.
   */
  readonly enables?: readonly string[];
  /**
   * Lanes of every subgroup: for adapters whose subgroups have just so many, or that let a kernel choose. A workgroup
   * is whole subgroups of them along x.
   */
  readonly subgroupSize?: number;
  /** Whether the adapter can run it for these parameters. Default: always. */
  readonly requires?: (adapter: AdapterProfile, params: P) => boolean;
  /** Whether it is the default where it can run; the first that says yes is taken. Default: yes. */
  readonly prefer?: (adapter: AdapterProfile, params: P) => boolean;
}

export type InputArray = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** One shape to test or bench. */
export interface KernelCase<P extends Params = Params> {
  readonly params: P;
  /**
   * Contents of `read` and `readWrite` bindings where random normal numbers will not do (indices, probabilities,
   * segment tables).
   */
  readonly inputs?: (random: () => number) => Readonly<Record<string, ArrayLike<number>>>;
  /** What is special about this case, for the test's name. */
  readonly note?: string;
}

/**
 * Both of one size. In every variant an element of the input is read by no invocation but the one that writes that of
 * the output, and never after that.
 */
export interface InPlacePair {
  readonly input: string;
  readonly output: string;
}

/** What a kernel is to programs that run it, and to whoever times and tunes it. */
export interface RunnableKernel<P extends Params = Params> {
  readonly name: string;
  /** An import of a file in `shaders/`, whose entry point is `main`. */
  readonly shader: WgslFile;
  /** In binding order. Binding 0 of the group is the parameter struct, these follow from 1. */
  readonly bindings: Readonly<Record<string, BindingSpec>>;
  /** Fields of the parameter struct, in order. */
  readonly params: Readonly<Record<keyof P & string, 'u32' | 'f32'>>;
  /** In order of preference. */
  readonly variants: readonly Variant<P>[];
  /** Number of scalars in each binding for these parameters. */
  readonly sizes: (params: P) => Readonly<Record<string, number>>;
  /** Invocations or workgroups: see `Dispatch`. */
  readonly dispatch: (params: P, constants: Constants) => Dispatch;
  /** Arithmetic operations, and the fewest bytes moved (each input read once, each output written once). */
  readonly cost: (params: P) => { readonly flops: number; readonly bytes: number };
  /**
   * A case for any parameters, for tuning. Where it is absent, kernels that only read float32 are tuned on random
   * numbers, others not at all.
   */
  readonly tuningCase?: (params: P) => KernelCase<P>;
  /** Largest allowed |result − reference| ≤ absolute + relative · |reference|, with the reason in the kernel's file. */
  readonly tolerance: { readonly absolute: number; readonly relative: number };
  /**
   * An output that may take the storage of an input: `inPlace.ts` derives a kernel from it, which programs run where
   * nothing reads the input afterwards.
   */
  readonly inPlace?: InPlacePair;
  /** Of such a derived kernel: what it was derived from. */
  readonly inPlaceOf?: InPlacePair & { readonly spec: RunnableKernel<P> };
}

/**
 * A kernel with what it is checked against. Those that every program has are told apart from it, in a file of their own
 * (`matmulReference.ts`, `columnSumReference.ts`), so that programs do without.
 */
export interface KernelSpec<P extends Params = Params> extends RunnableKernel<P> {
  /**
   * The result in float64, for every `write` and `readWrite` binding. Inputs hold every `read` and `readWrite` binding.
   */
  readonly reference: (
    inputs: Readonly<Record<string, Float64Array>>,
    params: P,
  ) => Readonly<Record<string, ArrayLike<number>>>;
  /** Shapes to test: odd ones, ones, empty ones, large ones. */
  readonly cases: readonly KernelCase<P>[];
  /** Shapes to bench; the last test case if absent. */
  readonly benchCases?: readonly KernelCase<P>[];
}

/**
 * Size of the grid in workgroups. Each dimension may be at most 65,535: fold with `foldWorkgroups` and bounds-check in
 * the shader.
 */
export type Dispatch = readonly [x: number, y: number, z: number];

/** Most workgroups a dimension of a dispatch may have in WebGPU's default limits. */
const maxWorkgroupsPerDimension = 65_535;

/**
 * Folds a one-dimensional count of workgroups into x and y. The shader finds its number as `workgroup.x + workgroup.y *
 * numWorkgroups.x`.
 */
export function foldWorkgroups(count: number): Dispatch {
  if (count <= maxWorkgroupsPerDimension) return [count, 1, 1];
  const y = Math.ceil(count / maxWorkgroupsPerDimension);
  return [Math.ceil(count / y), y, 1];
}

/** Defines a kernel; only there so that `P` is inferred from the parameter fields. */
export function defineKernel<P extends Params>(spec: KernelSpec<P>): KernelSpec<P> {
  return spec;
}

/** Whether an adapter runs a kernel at all: one that stores f16 needs `shader-f16`; every other runs everywhere. */
export function isSupported({ bindings }: Pick<RunnableKernel, 'bindings'>, { features }: AdapterProfile): boolean {
  return !storesHalf(bindings) || features.has('shader-f16');
}

/** The variants that an adapter can run for some parameters, in order of preference. */
export function ableVariants<P extends Params>(
  spec: RunnableKernel<P>,
  adapter: AdapterProfile,
  params: P,
): Variant<P>[] {
  return isSupported(spec, adapter)
    ? spec.variants.filter(
        (variant) => subgroupsFor(variant, adapter) !== 'none' && (variant.requires?.(adapter, params) ?? true),
      )
    : [];
}

/** Whether an adapter's subgroups have the variant's size, get it where the variant asks for it, or cannot have it. */
function subgroupsFor(
  { subgroupSize }: Pick<Variant, 'subgroupSize'>,
  { features, subgroupMinSize, subgroupMaxSize }: AdapterProfile,
): 'as they are' | 'asked for' | 'none' {
  if (subgroupSize === undefined) return 'as they are';
  if (!features.has('subgroups') || subgroupSize < subgroupMinSize || subgroupSize > subgroupMaxSize) return 'none';
  if (subgroupMinSize === subgroupMaxSize) return 'as they are';
  return features.has('subgroup-size-control') ? 'asked for' : 'none';
}

function storesHalf(bindings: RunnableKernel['bindings']): boolean {
  return Object.values(bindings).some(({ dtype }) => dtype === 'f16');
}

/**
 * The variant that an adapter runs by default.
 * @throws {ProxmoError} `config` if there is none: a kernel keeps one without requirements wherever it is supported
 */
export function defaultVariant<P extends Params>(
  spec: RunnableKernel<P>,
  adapter: AdapterProfile,
  params: P,
): Variant<P> {
  const able = ableVariants(spec, adapter, params);
  const chosen = able.find((variant) => variant.prefer?.(adapter, params) ?? true) ?? able[0];
  if (!chosen) {
    throw new ProxmoError(
      'config',
      `the kernel ${spec.name} has no variant that this adapter runs for ${JSON.stringify(params)}; keep one without \`requires\`.`,
    );
  }
  return chosen;
}

/** The kernel's label: pipeline label, row in the profiler and tuning key. */
export function kernelLabel(spec: Pick<RunnableKernel, 'name'>, variant: Pick<Variant, 'label'>): string {
  return `${spec.name}.${variant.label}`;
}

/**
 * The whole WGSL module of a variant: extensions, constants, parameters, bindings, then the shader file as the
 * preprocessor gives it for the constants.
 */
export async function assembleShader<P extends Params>(
  spec: RunnableKernel<P>,
  variant: Variant<P>,
  adapter: AdapterProfile,
): Promise<string> {
  const asksForSize = subgroupsFor(variant, adapter) === 'asked for';
  const extensions = new Set([
    ...(storesHalf(spec.bindings) ? ['f16'] : []),
    ...(variant.enables ?? []),
    ...(variant.subgroupSize === undefined ? [] : ['subgroups']),
    ...(asksForSize ? ['subgroup_size_control'] : []),
  ]);
  const enables = [...extensions].map((name) => `enable ${name};`);
  const constants = Object.entries(variant.constants).map(([name, value]) => declareConstant(name, value));
  const fields = Object.entries(spec.params).map(([name, type]) => `  ${name}: ${type},`);
  const bindings = Object.entries(spec.bindings).map(([name, binding], index) => {
    const width = variant.vector?.[name];
    const dtype = variant.words?.includes(name) ? 'u32' : binding.dtype;
    const element = width ? `vec${width}<${dtype}>` : dtype;
    const access = binding.access === 'read' ? 'read' : 'read_write';
    return `@group(0) @binding(${index + 1}) var<storage, ${access}> ${name}: array<${element}>;`;
  });
  const text = await preprocess(spec.shader, variant.constants);
  const body = asksForSize ? text.replace('@compute ', `@compute @subgroup_size(${variant.subgroupSize}) `) : text;
  return [
    ...enables,
    ...constants,
    'struct Params {',
    ...fields,
    '}',
    '@group(0) @binding(0) var<uniform> params: Params;',
    ...bindings,
    spec.inPlaceOf ? renameArray(body, spec.inPlaceOf) : body,
  ].join('\n');
}

/**
 * Reads of the input's elements become reads of the output's. Components of vectors and local values may bear the same
 * name: they have no index.
 */
function renameArray(body: string, { input, output }: InPlacePair): string {
  return body.replace(new RegExp(`(?<![.\\w])${input}\\[`, 'g'), `${output}[`);
}

function declareConstant(name: string, value: number | boolean | string): string {
  if (typeof value === 'string') return '';
  if (typeof value === 'boolean') return `const ${name} = ${value};`;
  return Number.isInteger(value) ? `const ${name} = ${value}u;` : `const ${name} = ${value}f;`;
}

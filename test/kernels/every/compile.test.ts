/**
 * Every variant of every kernel compiles for a GPU with every feature. Dawn's null backend checks shaders and runs
 * nothing, so this holds for variants, as those for matrix units, that no test adapter can run.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { create, globals } from 'webgpu';
import { kernels } from '../../../kernels/index.ts';
import {
  type AdapterProfile,
  ableVariants,
  assembleShader,
  defaultVariant,
  isSupported,
  type KernelSpec,
  type Variant,
} from '../../../kernels/spec.ts';
import { chosenKernels } from '../../support/chosenKernels.ts';

Object.assign(globalThis, globals);

/** What kernels may ask of an adapter. */
const features = ['shader-f16', 'subgroups', 'subgroup-size-control', 'chromium-experimental-subgroup-matrix'];

/** A data center GPU of NVIDIA. */
const gpuProfile: AdapterProfile = {
  kind: 'gpu',
  driver: 'hardware',
  features: new Set(features),
  maxInvocations: 1024,
  maxWorkgroupBytes: 32_768,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  subgroupMatrixConfigs: [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }],
};

/** The null backend, whose subgroups have the size that a kernel asks for. */
const nullProfile: AdapterProfile = { ...gpuProfile, subgroupMinSize: 4, subgroupMaxSize: 128 };

// Dawn's instance must live as long as its device.
const instance = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
let device: GPUDevice;

beforeAll(async () => {
  const adapter = await instance.requestAdapter();
  if (!adapter) throw new Error('Dawn has no null backend');
  device = await adapter.requestDevice({ requiredFeatures: features as GPUFeatureName[] });
});

afterAll(() => device.destroy());

/** What is wrong with a variant; null if it compiles. */
async function problemOf(spec: KernelSpec, variant: Variant): Promise<string | null> {
  const code = await assembleShader(spec, variant, nullProfile);
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const error = await device.popErrorScope();
  return error && !needsMore(error.message) ? error.message : null;
}

/** Whether a shader is right, but too large for this device, which has WebGPU's least limits. */
function needsMore(message: string): boolean {
  return /total use of workgroup storage|exceeds the maximum/.test(message);
}

describe('kernels for GPUs', () => {
  it.each(chosenKernels.map((spec) => [spec.name, spec] as const))('%s compiles', async (_, spec) => {
    for (const variant of spec.variants) expect(await problemOf(spec, variant), variant.label).toBeNull();
  });

  // All that have a choice are tuned; those that work in place run the variant of the kernel that they are a form of.
  const tuned = chosenKernels.filter(({ variants, inPlaceOf }) => variants.length > 1 && !inPlaceOf);
  const readsIntegers = tuned.filter(({ bindings }) =>
    Object.values(bindings).some(({ access, dtype }) => access !== 'write' && dtype === 'u32'),
  );
  it.each(readsIntegers.map((spec) => [spec.name, spec] as const))(
    '%s, which reads whole numbers, has contents of them to be tuned on',
    (_, spec) => {
      const { params } = (spec.benchCases ?? spec.cases).at(-1)!;
      const tuningCase = spec.tuningCase?.(params);
      expect(tuningCase?.params).toEqual(params);
      const inputs = tuningCase!.inputs!(() => 0.5);
      for (const [name, { access, dtype }] of Object.entries(spec.bindings)) {
        if (access !== 'write' && dtype === 'u32') expect(inputs[name], name).toHaveLength(spec.sizes(params)[name]!);
      }
    },
  );

  it('says what is wrong with a shader', async () => {
    const [spec] = kernels.filter(({ name }) => name === 'fill');
    const { shader } = spec!;
    const broken = { ...shader, text: `${shader.text}\nfn broken() -> u32 { return 1.5; }` };
    expect(await problemOf({ ...spec!, shader: broken }, spec!.variants[0]!)).toContain('broken');
  });

  it('get subgroups of the size that they are written for', async () => {
    const spec = kernels.find(({ name }) => name === 'layerNorm')!;
    const variant = spec.variants.find(({ subgroupSize }) => subgroupSize === 16)!;
    const able = (adapter: Partial<AdapterProfile>) =>
      ableVariants(spec, { ...gpuProfile, ...adapter }, { rows: 4, width: 64, epsilon: 1e-6 }).includes(variant);
    expect(able({ subgroupMinSize: 16, subgroupMaxSize: 16, features: new Set(['subgroups']) })).toBe(true);
    expect(able({ subgroupMinSize: 8, subgroupMaxSize: 32 })).toBe(true);
    expect(able({ subgroupMinSize: 8, subgroupMaxSize: 32, features: new Set(['subgroups']) })).toBe(false);
    expect(able({ subgroupMinSize: 32, subgroupMaxSize: 64 })).toBe(false);
    expect(able({ subgroupMinSize: 16, subgroupMaxSize: 16, features: new Set() })).toBe(false);
    const exact = { ...gpuProfile, subgroupMinSize: 16, subgroupMaxSize: 16 };
    expect(await assembleShader(spec, variant, exact)).not.toContain('subgroup_size');
    expect(await assembleShader(spec, variant, nullProfile)).toMatch(
      /^enable subgroups;\nenable subgroup_size_control;[\s\S]*@compute @subgroup_size\(16\)/,
    );
  });

  it('have names of their own', () => {
    expect(new Set(kernels.map(({ name }) => name)).size).toBe(kernels.length);
  });

  it('read and write at most the 8 storage buffers that every adapter has', () => {
    for (const { name, bindings } of chosenKernels) expect(Object.keys(bindings).length, name).toBeLessThanOrEqual(8);
  });

  it('have a default for their largest case', () => {
    for (const spec of chosenKernels.filter((each) => isSupported(each, gpuProfile)))
      for (const { params } of spec.cases)
        expect(defaultVariant(spec, gpuProfile, params).label, spec.name).toBeTruthy();
  });
});

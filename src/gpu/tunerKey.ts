/**
 * What a measurement of variants holds for: the kernel, its shape to the nearest powers of two, the code of every
 * variant that was able to run, the adapter with its driver, and the version of the package. A choice that was kept
 * under one key is taken only where all of that is the same.
 */
import { assembleShader, kernelLabel, type Params, type RunnableKernel, type Variant } from '../../kernels/spec.ts';
import { sha256 } from '../base/sha256.ts';
import type { AdapterDescription } from './adapterDescription.ts';

/** Hexadecimal digits of a digest that are kept: enough that two kernels never share them by chance. */
const digestLength = 24;

/** Makes keys; keeps the digests of code, which take longest. */
export class TunerKeys {
  private readonly digests = new Map<string, Promise<string>>();

  constructor(
    private readonly adapter: AdapterDescription,
    private readonly version: string,
  ) {}

  /**
   * As `matmul.nt m=2048 n=512 k=128 batch=1 splits=1 0f3a…`.
   * @param variants those that the adapter can run for these parameters
   */
  async keyOf<P extends Params>(spec: RunnableKernel<P>, params: P, variants: readonly Variant<P>[]): Promise<string> {
    return [spec.name, roundedShape(spec, params), await this.digestOf(spec, variants)].filter(Boolean).join(' ');
  }

  private digestOf<P extends Params>(spec: RunnableKernel<P>, variants: readonly Variant<P>[]): Promise<string> {
    const labels = variants.map((variant) => kernelLabel(spec, variant));
    const name = labels.join(' ');
    const known = this.digests.get(name);
    if (known) return known;
    const { name: adapter, vendor, architecture, driver, profile } = this.adapter;
    const shaders = Promise.all(variants.map((variant) => assembleShader(spec, variant, profile)));
    const digest = shaders.then((code) =>
      sha256(JSON.stringify([this.version, adapter, vendor, architecture, driver, labels, code]), digestLength),
    );
    this.digests.set(name, digest);
    return digest;
  }
}

/**
 * The whole-number parameters to the nearest powers of two; the others (scales, temperatures) do not decide what is
 * fast.
 */
export function roundedShape<P extends Params>(spec: RunnableKernel<P>, params: P): string {
  return Object.entries<string>(spec.params)
    .filter(([, type]) => type !== 'f32')
    .map(([name]) => `${name}=${roundToPowerOfTwo(params[name] ?? 0)}`)
    .join(' ');
}

function roundToPowerOfTwo(value: number): number {
  return value <= 1 ? value : 2 ** Math.round(Math.log2(value));
}

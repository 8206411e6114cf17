/**
 * Compiled kernels, one for each variant in use. Scalars reach a kernel through a uniform buffer, so a pipeline serves
 * every shape.
 */
import {
  type Access,
  assembleShader,
  type KernelSpec,
  kernelLabel,
  type Params,
  type Variant,
} from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import type { GpuContext } from './context.ts';
import { codeOfParts, withPartFields } from './gridParts.ts';

export interface Kernel {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export class PipelineCache {
  private readonly kernels = new Map<string, Promise<Kernel>>();
  /** By the access to each binding: kernels that bind alike share bind groups. */
  private readonly layouts = new Map<string, GPUBindGroupLayout>();

  constructor(private readonly context: GpuContext) {}

  /** The compiled kernel of a variant. Compiling one takes 1–100 ms; ask for many at once. */
  get<P extends Params>(spec: KernelSpec<P>, variant: Variant<P>): Promise<Kernel> {
    const label = kernelLabel(spec, variant);
    return this.once(label, () => this.build(label, spec, () => assembleShader(spec, variant, this.context.profile)));
  }

  /** The same for dispatches in parts: its parameters end with those of a part. */
  getForParts(spec: KernelSpec, variant: Variant): Promise<Kernel> {
    const label = kernelLabel(spec, variant);
    const { profile } = this.context;
    return this.once(`${label} in parts`, () =>
      this.build(label, spec, () => codeOfParts(assembleShader(withPartFields(spec), variant, profile))),
    );
  }

  private once(key: string, build: () => Promise<Kernel>): Promise<Kernel> {
    const known = this.kernels.get(key);
    if (known) return known;
    const kernel = build();
    this.kernels.set(key, kernel);
    return kernel;
  }

  private layoutOf(bindings: KernelSpec['bindings']): GPUBindGroupLayout {
    const types = Object.values(bindings).map(({ access }) => bindingType(access));
    const label = types.join();
    const known = this.layouts.get(label);
    if (known) return known;
    const buffers = (['uniform', ...types] as const).map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    }));
    const layout = this.context.device.createBindGroupLayout({ label, entries: buffers });
    this.layouts.set(label, layout);
    return layout;
  }

  private async build(
    label: string,
    { bindings }: Pick<KernelSpec, 'bindings'>,
    assemble: () => string,
  ): Promise<Kernel> {
    const { device } = this.context;
    const layout = this.layoutOf(bindings);
    // What is wrong with it is told below; the device goes on.
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label, code: assemble() });
    void device.popErrorScope().catch(() => undefined);
    try {
      const pipeline = await device.createComputePipelineAsync({
        label,
        layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main' },
      });
      return { label, pipeline, layout };
    } catch (error) {
      throw new ProxmoError(
        'gpu-error',
        `Kernel ${label} does not compile on ${this.context.adapter.name}: ${await explain(module, error)}`,
        { cause: error },
      );
    }
  }
}

function bindingType(access: Access): GPUBufferBindingType {
  return access === 'read' ? 'read-only-storage' : 'storage';
}

async function explain(module: GPUShaderModule, error: unknown): Promise<string> {
  const { messages } = await module.getCompilationInfo();
  const lines = messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, message }) => `line ${lineNum}: ${message}`);
  return lines.length > 0 ? lines.join('; ') : String(error);
}

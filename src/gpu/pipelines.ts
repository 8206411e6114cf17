/**
 * Compiled kernels, one for each variant in use. Scalars reach a kernel through a uniform buffer, so a pipeline serves
 * every shape.
 */
import {
  type Access,
  assembleShader,
  type Constants,
  kernelLabel,
  type Params,
  type RunnableKernel,
  type Variant,
} from '../../kernels/spec.ts';
import type { WgslFile } from '../../kernels/wgsl.ts';
import { ProxmoError } from '../base/errors.ts';
import type { GpuContext } from './context.ts';

export interface Kernel {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** How a kernel's code is made. */
export interface KernelForm {
  /** What tells its pipelines from those of the other forms. */
  readonly label: string;
  readonly code: typeof assembleShader;
}

/** A kernel for whole grids. */
const wholeForm: KernelForm = { label: '', code: assembleShader };

/** A kernel, and what it was made from. */
interface Built {
  readonly shader: WgslFile;
  readonly constants: Constants;
  readonly code: string;
  readonly kernel: Promise<Kernel>;
}

export class PipelineCache {
  private readonly kernels = new Map<string, Built>();
  /** By the access to each binding: kernels that bind alike share bind groups. */
  private readonly layouts = new Map<string, GPUBindGroupLayout>();

  constructor(private readonly context: GpuContext) {}

  /**
   * The compiled kernel of a variant. Compiling one takes 1–100 ms; ask for many at once.
   * @throws {ProxmoError} `gpu-error` if it does not compile, `config` if another kernel has its name
   */
  async get<P extends Params>(spec: RunnableKernel<P>, variant: Variant<P>, form = wholeForm): Promise<Kernel> {
    const label = kernelLabel(spec, variant);
    const key = label + form.label;
    const { shader, bindings } = spec;
    const { constants } = variant;
    const same = this.kernels.get(key);
    if (same && same.shader === shader && same.constants === constants) return same.kernel;
    const code = await form.code(spec, variant, this.context.profile);
    const known = this.kernels.get(key);
    if (known) {
      if (known.code === code) return known.kernel;
      throw new ProxmoError(
        'config',
        `two kernels with different code are called ${label}; give each kernel a name of its own, and each of its variants a label.`,
      );
    }
    const kernel = this.build(label, bindings, code);
    this.kernels.set(key, { shader, constants, code, kernel });
    // What failed may succeed later, as with a device that had no memory.
    kernel.catch(() => this.kernels.delete(key));
    return kernel;
  }

  private layoutOf(bindings: RunnableKernel['bindings']): GPUBindGroupLayout {
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

  private async build(label: string, bindings: RunnableKernel['bindings'], code: string): Promise<Kernel> {
    const { device } = this.context;
    const layout = this.layoutOf(bindings);
    // What is wrong with it is told below; the device goes on.
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label, code });
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

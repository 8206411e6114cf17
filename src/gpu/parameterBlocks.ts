/**
 * The scalar parameters of dispatches, in uniform buffers. Dispatches with equal parameters share a block, whichever
 * program they belong to: the layers of a model and the steps of a block of tokens differ in their buffers alone.
 */
import type { Params, RunnableKernel } from '../../kernels/spec.ts';
import type { GpuContext } from './context.ts';

/** Bytes of a block: more than any kernel's parameters, and the alignment every device accepts for a binding. */
const blockBytes = 256;
const blocksPerPage = 256;

/** Parameters on the device, as long as somebody holds them. */
export interface ParameterBlock {
  readonly key: string;
  readonly buffer: GPUBuffer;
  /** In bytes. */
  readonly offset: number;
  readonly size: number;
}

interface HeldBlock extends ParameterBlock {
  readonly page: ParameterPage;
  holders: number;
}

interface ParameterPage {
  readonly buffer: GPUBuffer;
  /** Offsets of blocks that nobody holds. */
  readonly free: number[];
}

export class ParameterBlocks {
  private readonly blocks = new Map<string, HeldBlock>();
  private readonly pages = new Set<ParameterPage>();

  constructor(private readonly context: GpuContext) {}

  /** A block that holds these parameters. Whoever took it gives it back. */
  take(spec: RunnableKernel, params: Params): ParameterBlock {
    const words = packParams(spec, params);
    // A page may have turned out to be without memory.
    const isLive = ({ buffer }: { readonly buffer: GPUBuffer }) => this.context.allocations.isLive(buffer);
    const key = words.join();
    const known = this.blocks.get(key);
    if (known && isLive(known)) {
      known.holders++;
      return known;
    }
    const page = [...this.pages].find((page) => page.free.length > 0 && isLive(page)) ?? this.addPage();
    const { buffer, free } = page;
    const block = { key, page, buffer, offset: free.pop()!, size: blockBytes, holders: 1 };
    this.context.issue(() => this.context.device.queue.writeBuffer(buffer, block.offset, words));
    this.blocks.set(key, block);
    return block;
  }

  /** A page that nobody holds anything of is freed. */
  give({ key }: ParameterBlock): void {
    const block = this.blocks.get(key);
    if (!block || --block.holders > 0) return;
    this.blocks.delete(key);
    block.page.free.push(block.offset);
    if (block.page.free.length < blocksPerPage) return;
    this.pages.delete(block.page);
    block.buffer.destroy();
  }

  private addPage(): ParameterPage {
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const buffer = this.context.createBuffer(blockBytes * blocksPerPage, usage, 'parameters');
    const free = Array.from({ length: blocksPerPage }, (_, index) => (blocksPerPage - 1 - index) * blockBytes);
    const page = { buffer, free };
    this.pages.add(page);
    return page;
  }
}

/** The parameter struct, as words. */
function packParams(spec: RunnableKernel, params: Params): Uint32Array<ArrayBuffer> {
  const fields = Object.entries(spec.params);
  const words = new Uint32Array(Math.max(fields.length, 4));
  const view = new DataView(words.buffer);
  fields.forEach(([name, type], index) => {
    const value = params[name] ?? 0;
    if (type === 'f32') view.setFloat32(index * 4, value, true);
    else view.setUint32(index * 4, value, true);
  });
  return words;
}

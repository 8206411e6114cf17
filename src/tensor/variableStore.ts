/**
 * Variables on a device: a buffer for each of their pieces, made on first use, and the traffic between them and the
 * host.
 */
import { type Dtype, elementBytes } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { mebibytes } from '../base/sizes.ts';
import type { BufferRange } from '../gpu/bindGroups.ts';
import { readBuffer } from '../gpu/commands.ts';
import type { GpuContext } from '../gpu/context.ts';
import { fromStorage, type HostArray, toStorage, typedArray } from '../gpu/hostArrays.ts';
import type { Piece } from './slabLayout.ts';
import type { Variable } from './variable.ts';

/** Some elements of a piece, and where they are among the elements that were asked for. */
interface Slice {
  readonly range: BufferRange;
  readonly at: number;
  readonly count: number;
}

interface StoredVariable {
  readonly buffers: readonly GPUBuffer[];
  readonly maker: VariableStore;
}

export class VariableStore {
  /**
   * @param largestPiece bytes of a piece at most
   * @param stored all variables, whichever store made their buffers
   */
  constructor(
    private readonly gpu: GpuContext,
    private readonly largestPiece: number,
    private readonly stored = new Map<Variable, StoredVariable>(),
  ) {}

  /** A store of the same variables that frees those whose buffers it made. */
  part(): VariableStore {
    return new VariableStore(this.gpu, this.largestPiece, this.stored);
  }

  /** Frees the variables whose buffers were made here. */
  destroy(): void {
    for (const [variable, { maker }] of [...this.stored]) if (maker === this) this.release(variable);
  }

  /** Bytes of all buffers. */
  get bytes(): number {
    return [...this.stored.values()].flatMap(({ buffers }) => buffers).reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Where a kernel finds some elements.
   * @throws {ProxmoError} `shape` if they lie in several pieces, or a piece is larger than the device can bind
   */
  rangeOf(variable: Variable, offset: number, count: number): BufferRange {
    const index = variable.pieces.findIndex(({ start, size }) => offset >= start && offset + count <= start + size);
    if (index < 0) {
      throw new ProxmoError(
        'shape',
        `elements ${offset} to ${offset + count} of ${variable.name} lie in several of its ${variable.pieces.length} buffers, and a kernel can bind only one; use the parts.`,
      );
    }
    return this.bytesOf(variable, index, offset - variable.pieces[index]!.start, count);
  }

  write(variable: Variable, values: ArrayLike<number>, offset: number): void {
    this.checkRange(variable, offset, values.length);
    const isHalf = variable.dtype === 'f16';
    const endsWithin = offset + values.length < variable.size;
    if (isHalf && (offset % 2 !== 0 || (endsWithin && values.length % 2 !== 0))) {
      throw new ProxmoError(
        'shape',
        `${variable.name} is f16 and takes pairs of values, but was given ${values.length} at ${offset}.`,
      );
    }
    const stored = toStorage(variable.dtype, values);
    for (const { range, at, count } of this.slicesOf(variable, offset, values.length)) {
      // Behind its last element, storage is padded to a word.
      const padded = isHalf ? count + (count % 2) : count;
      this.gpu.issue(() => this.gpu.device.queue.writeBuffer(range.buffer, range.offset, stored, at, padded));
    }
  }

  async read(variable: Variable, offset: number, count: number): Promise<HostArray> {
    this.checkRange(variable, offset, count);
    // Copies begin at whole words: of f16, at every second element.
    const before = variable.dtype === 'f16' ? offset % 2 : 0;
    const slices = this.slicesOf(variable, offset - before, count + before);
    const read = await Promise.all(slices.map(({ range }) => readBuffer(this.gpu, range)));
    const parts = read.map((bytes) => fromStorage(variable.dtype, bytes));
    if (parts.length === 1 && before === 0) return parts[0]!;
    const values = typedArray(variable.dtype, new Float32Array(count + before));
    slices.forEach(({ at }, index) => {
      values.set(parts[index]!, at);
    });
    return before === 0 ? values : values.slice(before);
  }

  clear(variable: Variable): void {
    this.gpu.check();
    const buffers = this.buffersOf(variable);
    this.gpu.issue(() => {
      const encoder = this.gpu.device.createCommandEncoder();
      for (const buffer of buffers) encoder.clearBuffer(buffer);
      this.gpu.device.queue.submit([encoder.finish()]);
    });
  }

  copy(from: Variable, to: Variable, offset: number): void {
    this.gpu.check();
    // Copies are of whole words; behind the last element storage is padded to one.
    const isWhole = from.dtype !== 'f16' || offset % 2 === 0;
    if (from.dtype !== to.dtype || !isWithin(from, offset, to.size) || !isWhole) {
      const describe = ({ name, dtype, size }: Variable) => `${name} (${size} elements of ${dtype})`;
      throw new ProxmoError(
        'shape',
        `${describe(from)} cannot be copied from element ${offset} on to ${describe(to)}; types and sizes must fit, and f16 begins at an even element.`,
      );
    }
    const copies = to.pieces.flatMap(({ start, size }) =>
      this.slicesOf(from, offset + start, size).map(({ range, at, count }) => ({
        range,
        target: this.rangeOf(to, start + at, count),
      })),
    );
    this.gpu.issue(() => {
      const encoder = this.gpu.device.createCommandEncoder();
      for (const { range, target } of copies)
        encoder.copyBufferToBuffer(range.buffer, range.offset, target.buffer, target.offset, wholeWords(target.size));
      this.gpu.device.queue.submit([encoder.finish()]);
    });
  }

  release(variable: Variable): void {
    for (const buffer of this.stored.get(variable)?.buffers ?? []) buffer.destroy();
    this.stored.delete(variable);
  }

  private checkRange(variable: Variable, offset: number, count: number): void {
    this.gpu.check();
    if (isWithin(variable, offset, count)) return;
    throw new ProxmoError(
      'shape',
      `${count} values at ${offset} are not within the variable ${variable.name} of ${variable.size}.`,
    );
  }

  /** What each piece holds of some elements. */
  private slicesOf(variable: Variable, offset: number, count: number): Slice[] {
    return variable.pieces.flatMap(({ start, size }, index) => {
      const first = Math.max(offset, start);
      const end = Math.min(offset + count, start + size);
      return first < end
        ? [{ range: this.bytesOf(variable, index, first - start, end - first), at: first - offset, count: end - first }]
        : [];
    });
  }

  private bytesOf(variable: Variable, piece: number, offset: number, count: number): BufferRange {
    const width = elementBytes[variable.dtype];
    return { buffer: this.buffersOf(variable)[piece]!, offset: offset * width, size: count * width };
  }

  private buffersOf(variable: Variable): readonly GPUBuffer[] {
    const known = this.stored.get(variable)?.buffers;
    if (known?.some((buffer) => this.gpu.allocations.failureOf(buffer))) this.release(variable);
    else if (known) return known;
    checkDtype(this.gpu, variable.dtype);
    const { pieces, name } = variable;
    const buffers = pieces.map((piece) => this.gpu.createStorage(this.checkedBytes(variable, piece), name));
    this.stored.set(variable, { buffers, maker: this });
    if (variable.initial) this.write(variable, variable.initial, 0);
    return buffers;
  }

  private checkedBytes({ name, shape, dtype, pieces }: Variable, { size }: Piece): number {
    const bytes = size * elementBytes[dtype];
    if (bytes <= this.largestPiece) return bytes;
    const [needed, allowed] = [bytes, this.largestPiece].map(mebibytes);
    const which = pieces.length > 1 ? `a buffer of ${needed} MiB for a part of it` : `a buffer of ${needed} MiB`;
    throw new ProxmoError(
      'shape',
      `${name}, ${dtype} [${shape.join(', ')}], needs ${which}, but ${this.gpu.adapter.name} binds ${allowed} MiB; make it smaller, or make its slab for this device (largestPiece).`,
    );
  }
}

function wholeWords(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

function isWithin({ size }: Variable, offset: number, count: number): boolean {
  return [offset, count].every((value) => Number.isSafeInteger(value) && value >= 0) && offset + count <= size;
}

/** @throws {ProxmoError} `config` if the device cannot store it */
export function checkDtype({ adapter }: GpuContext, dtype: Dtype): void {
  if (dtype === 'f16' && !adapter.profile.features.has('shader-f16')) {
    throw new ProxmoError(
      'config',
      `${adapter.name} has no 16-bit floats (shader-f16); use precision f32, or another adapter.`,
    );
  }
}

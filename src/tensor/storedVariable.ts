/**
 * A variable on a device: a buffer for each of its pieces, made on first use, and the traffic between them and the
 * host.
 */
import { elementBytes } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { mebibytes } from '../base/sizes.ts';
import type { BufferRange } from '../gpu/bindGroups.ts';
import { readBuffer } from '../gpu/commands.ts';
import type { GpuContext } from '../gpu/context.ts';
import { fromStorage, type HostArray, toStorage, typedArray } from '../gpu/hostArrays.ts';
import { checkDtype } from './dtypes.ts';
import type { Piece } from './slabLayout.ts';
import type { Variable } from './variable.ts';

/** Some elements of a piece, and where they are among the elements that were asked for. */
interface Slice {
  readonly range: BufferRange;
  readonly at: number;
  readonly count: number;
}

export class StoredVariable {
  private made: readonly GPUBuffer[] | null = null;

  /** @param largestPiece bytes of a piece at most */
  constructor(
    private readonly gpu: GpuContext,
    private readonly variable: Variable,
    private readonly largestPiece: number,
  ) {}

  /** Bytes of its buffers. */
  get bytes(): number {
    return (this.made ?? []).reduce((sum, { size }) => sum + size, 0);
  }

  /** Whether the device had no room for it. */
  get hasFailed(): boolean {
    return (this.made ?? []).some((buffer) => this.gpu.allocations.failureOf(buffer));
  }

  destroy(): void {
    for (const buffer of this.made ?? []) buffer.destroy();
    this.made = null;
  }

  /**
   * Where a kernel finds some elements.
   * @throws {ProxmoError} `shape` if they lie in several pieces, or a piece is larger than the device can bind
   */
  rangeOf(offset: number, count: number): BufferRange {
    const { name, pieces } = this.variable;
    const index = pieces.findIndex(({ start, size }) => offset >= start && offset + count <= start + size);
    if (index < 0) {
      throw new ProxmoError(
        'shape',
        `elements ${offset} to ${offset + count} of ${name} lie in several of its ${pieces.length} buffers, and a kernel can bind only one; use the parts.`,
      );
    }
    return this.bytesOf(index, offset - pieces[index]!.start, count);
  }

  write(values: ArrayLike<number>, offset: number): void {
    this.checkRange(offset, values.length);
    const { name, dtype, size } = this.variable;
    const isHalf = dtype === 'f16';
    const endsWithin = offset + values.length < size;
    if (isHalf && (offset % 2 !== 0 || (endsWithin && values.length % 2 !== 0))) {
      throw new ProxmoError(
        'shape',
        `${name} is f16 and takes pairs of values, but was given ${values.length} at ${offset}.`,
      );
    }
    const stored = toStorage(dtype, values);
    for (const { range, at, count } of this.slicesOf(offset, values.length)) {
      // Behind its last element, storage is padded to a word.
      const padded = isHalf ? count + (count % 2) : count;
      this.gpu.issue(() => this.gpu.device.queue.writeBuffer(range.buffer, range.offset, stored, at, padded));
    }
  }

  async read(offset: number, count: number): Promise<HostArray> {
    this.checkRange(offset, count);
    const { dtype } = this.variable;
    // Copies begin at whole words: of f16, at every second element.
    const before = dtype === 'f16' ? offset % 2 : 0;
    const slices = this.slicesOf(offset - before, count + before);
    const read = await Promise.all(slices.map(({ range }) => readBuffer(this.gpu, range)));
    const parts = read.map((bytes) => fromStorage(dtype, bytes));
    if (parts.length === 1 && before === 0) return parts[0]!;
    const values = typedArray(dtype, new Float32Array(count + before));
    slices.forEach(({ at }, index) => {
      values.set(parts[index]!, at);
    });
    return before === 0 ? values : values.slice(before);
  }

  clear(): void {
    this.gpu.check();
    const { buffers } = this;
    this.gpu.issue(() => {
      const encoder = this.gpu.device.createCommandEncoder();
      for (const buffer of buffers) encoder.clearBuffer(buffer);
      this.gpu.device.queue.submit([encoder.finish()]);
    });
  }

  /** Copies values from element `offset` on, as many as the other has, to that other. */
  copyTo(other: StoredVariable, offset: number): void {
    this.gpu.check();
    const [from, to] = [this.variable, other.variable];
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
      this.slicesOf(offset + start, size).map(({ range, at, count }) => ({
        range,
        target: other.rangeOf(start + at, count),
      })),
    );
    this.gpu.issue(() => {
      const encoder = this.gpu.device.createCommandEncoder();
      for (const { range, target } of copies)
        encoder.copyBufferToBuffer(range.buffer, range.offset, target.buffer, target.offset, wholeWords(target.size));
      this.gpu.device.queue.submit([encoder.finish()]);
    });
  }

  private checkRange(offset: number, count: number): void {
    this.gpu.check();
    if (isWithin(this.variable, offset, count)) return;
    const { name, size } = this.variable;
    throw new ProxmoError('shape', `${count} values at ${offset} are not within the variable ${name} of ${size}.`);
  }

  /** What each piece holds of some elements. */
  private slicesOf(offset: number, count: number): Slice[] {
    return this.variable.pieces.flatMap(({ start, size }, index) => {
      const first = Math.max(offset, start);
      const end = Math.min(offset + count, start + size);
      return first < end
        ? [{ range: this.bytesOf(index, first - start, end - first), at: first - offset, count: end - first }]
        : [];
    });
  }

  private bytesOf(piece: number, offset: number, count: number): BufferRange {
    const width = elementBytes[this.variable.dtype];
    return { buffer: this.buffers[piece]!, offset: offset * width, size: count * width };
  }

  private get buffers(): readonly GPUBuffer[] {
    if (this.made) return this.made;
    const { pieces, name, dtype, initial } = this.variable;
    checkDtype(this.gpu, dtype);
    const sizes = pieces.map((piece) => this.checkedBytes(piece));
    this.made = sizes.map((bytes) => this.gpu.createStorage(bytes, name));
    if (initial) this.write(initial, 0);
    return this.made;
  }

  private checkedBytes({ size }: Piece): number {
    const { name, shape, dtype, pieces } = this.variable;
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

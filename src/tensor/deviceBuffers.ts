/** Buffers of the caller's own on the device, as inputs and outputs of programs: values that never visit the host. */
import { ProxmoError } from '../base/errors.ts';
import { storedBytes } from '../gpu/hostArrays.ts';
import type { Tensor } from './tensor.ts';

/** Some bytes of a buffer of the same device, from `offset` on. Numbers lie there as the tensor stores them. */
export interface BufferPlace {
  readonly buffer: GPUBuffer;
  /** In bytes, a multiple of 4. Default: 0. */
  readonly offset?: number;
}

/** A buffer as it is, or from a place in it on. */
export type DeviceBuffer = GPUBuffer | BufferPlace;

/** Whether a value is on the device: an array otherwise, of whatever kind. */
export function isOnDevice(value: object): value is DeviceBuffer {
  return !ArrayBuffer.isView(value) && !Array.isArray(value);
}

/**
 * Where a tensor's values are to be read or written.
 * @param what as "the input x of the program f"
 * @param use whether a program reads the buffer or writes it
 * @throws {ProxmoError} `shape` if it is too small there, or cannot be used so
 */
export function placeOf(
  given: DeviceBuffer,
  { dtype, size, shape }: Tensor,
  what: string,
  use: 'read' | 'write',
): Required<BufferPlace> {
  const { buffer, offset = 0 } = 'buffer' in given ? given : { buffer: given };
  const bytes = storedBytes(dtype, size);
  const refuse = (why: string) => {
    throw new ProxmoError('shape', `${what}, ${dtype} [${shape.join(', ')}], ${why}.`);
  };
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % 4 !== 0)
    refuse(`begins at byte ${offset} of its buffer; take a multiple of 4`);
  if (offset + bytes > buffer.size)
    refuse(`needs ${bytes} bytes from ${offset} on, but its buffer has ${buffer.size} in all; take a larger one`);
  const [flag, name] = use === 'read' ? [GPUBufferUsage.COPY_SRC, 'COPY_SRC'] : [GPUBufferUsage.COPY_DST, 'COPY_DST'];
  if ((buffer.usage & flag) === 0) refuse(`needs a buffer with usage ${name}`);
  if (buffer.mapState !== 'unmapped') refuse('was given a buffer that is mapped; unmap it first');
  return { buffer, offset };
}

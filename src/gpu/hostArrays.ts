/**
 * Values between host and device: which typed array holds the elements of each dtype. The type f16 is a matter of
 * storage alone. On the host such values are float32, rounded to the nearest on their way to the device and exact on
 * their way back.
 */
import { type Dtype, elementBytes, type InputArray } from '../../kernels/spec.ts';
import { float16ToFloat32, float32ToFloat16 } from '../base/float16.ts';

/** A tensor's values on the host: `Float32Array` for f32 and f16, `Uint32Array` for u32. */
export type HostArray = InputArray;

/** Whether an array is of the type that holds the dtype on the host. */
export function matches(values: ArrayLike<number>, dtype: Dtype): values is HostArray {
  return dtype === 'u32' ? values instanceof Uint32Array : values instanceof Float32Array;
}

/** Values of a dtype: as they are where their type fits. */
export function typedArray(dtype: Dtype, values: ArrayLike<number>): HostArray {
  if (matches(values, dtype)) return values;
  return dtype === 'u32' ? Uint32Array.from(values) : Float32Array.from(values);
}

/** Values as storage holds them. */
export function toStorage(dtype: Dtype, values: ArrayLike<number>): HostArray | Uint16Array<ArrayBuffer> {
  const typed = typedArray(dtype, values);
  if (dtype !== 'f16' || !(typed instanceof Float32Array)) return typed;
  // Storage is written in whole words.
  const bits = new Uint16Array(storedBytes('f16', typed.length) / 2);
  bits.set(float32ToFloat16(typed));
  return bits;
}

/** Values as a kernel reads them: rounded to what storage holds. */
export function asStored(dtype: Dtype, values: ArrayLike<number>): HostArray {
  return dtype === 'f16' ? float16ToFloat32(float32ToFloat16(Float32Array.from(values))) : typedArray(dtype, values);
}

/** The values at the start of an array over and over, up to its end. @param count how many values there are */
export function repeatFirst<T extends HostArray>(values: T, count: number): T {
  for (let filled = count; filled > 0 && filled < values.length; filled *= 2) {
    values.copyWithin(filled, 0, Math.min(filled, values.length - filled));
  }
  return values;
}

/** What the device wrote, as values. */
export function fromStorage(dtype: Dtype, bytes: ArrayBuffer): HostArray {
  if (dtype === 'u32') return new Uint32Array(bytes);
  return dtype === 'f32' ? new Float32Array(bytes) : float16ToFloat32(new Uint16Array(bytes));
}

/** Bytes of some elements in storage, in whole words: bindings and copies are counted in them. */
export function storedBytes(dtype: Dtype, count: number): number {
  return 4 * Math.ceil((count * elementBytes[dtype]) / 4);
}

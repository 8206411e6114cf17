/**
 * The header of a GGUF file, version 3, as `layout.ts` reads it: metadata, and where each tensor lies in the data
 * behind it.
 */
import { ProxmoError } from '../../base/errors.ts';

/** A value of the metadata, by the kind it is stored as. */
export type GgufEntry =
  | { readonly kind: 'uint32' | 'float32'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'texts'; readonly value: readonly string[] }
  | { readonly kind: 'int32s' | 'float32s'; readonly value: readonly number[] };

export type GgufEntries = ReadonlyMap<string, GgufEntry>;

/** Types of values, as numbered in a file. */
const types = { uint32: 4, int32: 5, float32: 6, bool: 7, text: 8, array: 9 } as const;

/** How tensors are written, as numbered in a file. */
export const writableTypes = {
  float32: { number: 0, bytes: 4 },
  float16: { number: 1, bytes: 2 },
  bfloat16: { number: 30, bytes: 2 },
} as const;
export type WritableType = keyof typeof writableTypes;

/** A tensor to be written. */
export interface GgufOutput {
  readonly name: string;
  /** As Hugging Face has it; a file lists sizes the other way round. */
  readonly shape: readonly number[];
  readonly type: WritableType;
}

/** Tensors begin at multiples of it. */
const alignment = 32;

/** Bytes that fill up to the next tensor. */
export function paddingAfter(bytes: number): number {
  return (alignment - (bytes % alignment)) % alignment;
}

/** Bytes of a tensor's data. */
export function outputBytes({ shape, type }: GgufOutput): number {
  return shape.reduce((product, size) => product * size, 1) * writableTypes[type].bytes;
}

/**
 * The header, up to where the data begins.
 * @throws {ProxmoError} `data` if two tensors have one name
 */
export function encodeGgufHeader(entries: GgufEntries, tensors: readonly GgufOutput[]): Uint8Array {
  const pieces: Uint8Array[] = [bytesOf('GGUF'), u32(3), u64(tensors.length), u64(entries.size)];
  for (const [key, entry] of entries) pieces.push(text(key), ...encodeEntry(entry));
  const names = new Set<string>();
  let offset = 0;
  for (const tensor of tensors) {
    if (names.has(tensor.name))
      throw new ProxmoError('data', `GGUF: two tensors are called "${tensor.name}"; give each a name of its own.`);
    names.add(tensor.name);
    const sizes = tensor.shape.toReversed();
    pieces.push(
      text(tensor.name),
      u32(sizes.length),
      ...sizes.map(u64),
      u32(writableTypes[tensor.type].number),
      u64(offset),
    );
    const bytes = outputBytes(tensor);
    offset += bytes + paddingAfter(bytes);
  }
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return joined([...pieces, new Uint8Array(paddingAfter(length))]);
}

function encodeEntry(entry: GgufEntry): Uint8Array[] {
  switch (entry.kind) {
    case 'uint32':
      return [u32(types.uint32), u32(entry.value)];
    case 'float32':
      return [u32(types.float32), f32([entry.value])];
    case 'bool':
      return [u32(types.bool), Uint8Array.of(entry.value ? 1 : 0)];
    case 'text':
      return [u32(types.text), text(entry.value)];
    case 'texts':
      return [u32(types.array), u32(types.text), u64(entry.value.length), ...entry.value.map(text)];
    case 'int32s':
      return [
        u32(types.array),
        u32(types.int32),
        u64(entry.value.length),
        new Uint8Array(Int32Array.from(entry.value).buffer),
      ];
    case 'float32s':
      return [u32(types.array), u32(types.float32), u64(entry.value.length), f32(entry.value)];
  }
}

const encoder = new TextEncoder();
const bytesOf = (value: string) => encoder.encode(value);
const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
const u64 = (value: number) => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
const f32 = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);

function text(value: string): Uint8Array {
  const bytes = bytesOf(value);
  return joined([u64(bytes.length), bytes]);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

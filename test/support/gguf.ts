/** GGUF files by hand, also wrong ones: every piece is the bytes that stand in the file. */

export const u16 = (value: number) => new Uint8Array(Uint16Array.of(value).buffer);
export const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
export const u64 = (value: number | bigint) => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);

/** Bytes one after the other. */
export const join = (...pieces: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(pieces));

/** A text: its length and its bytes. */
export function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return join(u64(bytes.length), bytes);
}

/** Metadata: key, type and value. */
export const keyValue = (key: string, type: number, value: Uint8Array) => join(text(key), u32(type), value);

/** The value of an array. */
export const arrayOf = (type: number, items: readonly Uint8Array[], count: number | bigint = items.length) =>
  join(u32(type), u64(count), ...items);

/** A tensor's entry in the header. */
export const tensorInfo = (
  name: string,
  dimensions: readonly (number | bigint)[],
  type: number,
  offset: number | bigint,
) => join(text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset));

export interface GgufPieces {
  readonly magic?: string;
  readonly version?: number;
  readonly keys?: readonly Uint8Array[];
  readonly keyCount?: number | bigint;
  readonly tensors?: readonly Uint8Array[];
  readonly tensorCount?: number | bigint;
  readonly dataBytes?: number;
}

/** A file: the header padded to 32 bytes, and data. */
export function ggufBytes({
  magic = 'GGUF',
  version = 3,
  keys = [],
  keyCount,
  tensors = [],
  tensorCount,
  dataBytes = 0,
}: GgufPieces): Uint8Array {
  const counts = [u64(tensorCount ?? tensors.length), u64(keyCount ?? keys.length)];
  const header = join(new TextEncoder().encode(magic), u32(version), ...counts, ...keys, ...tensors);
  return join(header, new Uint8Array((32 - (header.length % 32)) % 32), new Uint8Array(dataBytes));
}

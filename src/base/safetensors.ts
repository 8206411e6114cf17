/**
 * The safetensors format: named tensors in one file, with a header that says where each one lies.
 *
 *   8 bytes: length n of the header, little-endian | n bytes: header, JSON | the rest: the data of the tensors, little-endian
 *
 * The header maps each name to `{dtype, shape, data_offsets: [begin, end]}`, with offsets into the data, and may hold
 * `__metadata__`, strings by name. Files come from anywhere, so a header is believed only once everything in it holds:
 * no name twice, and tensors that cover the data exactly, without gap or overlap. This module works on bytes in memory;
 * `safetensors.node.ts` reads and writes files.
 */
import { ProxmoError } from './errors.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from './float16.ts';
import { repeatedKey } from './repeatedKey.ts';

/** Array type of each dtype. F16 and BF16 are kept as their bits. */
const arrayTypes = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

export type SafetensorsDType = keyof typeof arrayTypes;
export type SafetensorsData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A tensor with its values, in row-major order. */
export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly data: SafetensorsData;
}

/** Where a tensor lies. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  /** Offset of the first byte, counted from the end of the header. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  /** Entries by name, in the order of their data. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Bytes before the header: its length. */
export const headerLengthBytes = 8;
/** Longest header that is read, as in the reference implementation. */
const maxHeaderBytes = 100_000_000;
const metadataKey = '__metadata__';

/**
 * Length of the header.
 * @param start the first bytes of the file, 8 or as many as there are
 * @param fileBytes size of the file
 * @param where name of the file, for messages
 * @throws {ProxmoError} `file` if the file cannot hold such a header.
 */
export function readHeaderLength(start: Uint8Array, fileBytes: number, where: string): number {
  if (start.length < headerLengthBytes) throw damaged(where, `is ${fileBytes} bytes long, too short for a header`);
  const length = new DataView(start.buffer, start.byteOffset, headerLengthBytes).getBigUint64(0, true);
  if (length > maxHeaderBytes)
    throw damaged(where, `claims a header of ${length} bytes, where ${maxHeaderBytes} are allowed`);
  const available = fileBytes - headerLengthBytes;
  if (length > available) throw damaged(where, `claims a header of ${length} bytes, but only ${available} follow`);
  return Number(length);
}

/**
 * Reads and checks a header.
 * @param bytes the header, without its length
 * @param dataBytes number of bytes that follow it
 * @param where name of the file, for messages
 * @throws {ProxmoError} `file` if anything in it is not as the format says.
 */
export function parseSafetensorsHeader(bytes: Uint8Array, dataBytes: number, where: string): SafetensorsHeader {
  const json = parseHeaderJson(bytes, where);
  const metadata = Object.hasOwn(json, metadataKey)
    ? parseMetadata(json[metadataKey], where)
    : new Map<string, string>();
  const entries = Object.entries(json)
    .filter(([name]) => name !== metadataKey)
    .map(([name, value]) => parseEntry(name, value, dataBytes, where));
  entries.sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  let covered = 0;
  for (const { name, byteOffset, byteLength } of entries) {
    if (byteOffset < covered) throw damaged(where, `has tensor ${show(name)} overlap the one before it`);
    if (byteOffset > covered)
      throw damaged(where, `has ${byteOffset - covered} bytes before tensor ${show(name)} that belong to none`);
    covered += byteLength;
  }
  if (covered < dataBytes) throw damaged(where, `has ${dataBytes - covered} bytes at its end that belong to no tensor`);
  return { entries: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

/**
 * Reads a whole file from memory; each tensor gets its own copy of its data.
 * @throws {ProxmoError} `file` if the bytes are not a valid safetensors file.
 */
export function parseSafetensors(bytes: Uint8Array, where = 'safetensors data') {
  const start = headerLengthBytes + readHeaderLength(bytes.subarray(0, headerLengthBytes), bytes.length, where);
  const { entries, metadata } = parseSafetensorsHeader(
    bytes.subarray(headerLengthBytes, start),
    bytes.length - start,
    where,
  );
  const tensors = Array.from(entries.values(), (entry): SafetensorsTensor => {
    const begin = start + entry.byteOffset;
    // Not by slice: that of Node's buffers copies nothing.
    return tensorOf(entry, new Uint8Array(bytes.subarray(begin, begin + entry.byteLength)));
  });
  return { tensors, metadata };
}

/** A tensor from its own bytes, which must start at offset 0 of their buffer. */
export function tensorOf({ name, dtype, shape }: SafetensorsEntry, bytes: Uint8Array<ArrayBuffer>): SafetensorsTensor {
  return { name, dtype, shape, data: new arrayTypes[dtype](bytes.buffer) };
}

/**
 * The values of a floating point tensor as float32: exact for F16 and BF16, rounded for F64.
 * @throws {ProxmoError} `data` for any other dtype.
 */
export function toFloat32({ name, dtype, data }: SafetensorsTensor): Float32Array {
  if (dtype === 'F16') return float16ToFloat32(data as Uint16Array);
  if (dtype === 'BF16') return bfloat16ToFloat32(data as Uint16Array);
  if (dtype === 'F64') return Float32Array.from(data as Float64Array);
  if (dtype === 'F32') return data as Float32Array;
  throw new ProxmoError('data', `Tensor ${show(name)} holds ${dtype}, not floating point numbers; read it as it is.`);
}

/** A tensor to be written: what the header says of it. */
export type SafetensorsLayout = Omit<SafetensorsTensor, 'data'>;

/**
 * The beginning of a safetensors file, and the order in which the data follow it: by falling size of the elements (so
 * that all are aligned) and by name.
 * @throws {ProxmoError} `data` if a name is taken twice.
 */
export function encodeSafetensorsHeader<T extends SafetensorsLayout>(
  tensors: Iterable<T>,
  metadata: Readonly<Record<string, string>> = {},
): { readonly header: Uint8Array; readonly order: readonly T[] } {
  const order = [...tensors].sort((a, b) => elementBytes(b) - elementBytes(a) || (a.name < b.name ? -1 : 1));
  const header: [string, unknown][] = Object.keys(metadata).length === 0 ? [] : [[metadataKey, metadata]];
  const names = new Set([metadataKey]);
  let end = 0;
  for (const tensor of order) {
    const { name, dtype, shape } = tensor;
    if (names.has(name))
      throw new ProxmoError('data', `Safetensors: the name ${show(name)} is taken already; give each tensor its own.`);
    names.add(name);
    header.push([name, { dtype, shape, data_offsets: [end, (end += elementCount(shape) * elementBytes(tensor))] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const start = new Uint8Array(headerLengthBytes + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(start.length - headerLengthBytes), true);
  start.set(json, headerLengthBytes);
  return { header: start, order };
}

/**
 * A safetensors file in pieces, to be written one after the other. The pieces are views of the tensors' data, not
 * copies. The same tensors always give the same bytes.
 * @throws {ProxmoError} `data` if a name is taken twice or data does not fit its shape or dtype.
 */
export function encodeSafetensors(
  tensors: Iterable<SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBufferLike>[] {
  const { header, order } = encodeSafetensorsHeader(tensors, metadata);
  return [header, ...order.map(bytesOf)];
}

/** A tensor's data as a safetensors file has it. @throws {ProxmoError} `data` if it does not fit its shape or dtype. */
export function bytesOf({ name, dtype, shape, data }: SafetensorsTensor): Uint8Array {
  if (!(data instanceof arrayTypes[dtype]) || elementCount(shape) !== data.length) {
    const held = `${data.length} values in a ${data.constructor.name}`;
    throw new ProxmoError(
      'data',
      `Safetensors: tensor ${show(name)} of shape [${shape}] and dtype ${dtype} cannot hold ${held}.`,
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Bytes of an element. */
export function elementBytes({ dtype }: Pick<SafetensorsTensor, 'dtype'>): number {
  return arrayTypes[dtype].BYTES_PER_ELEMENT;
}

function parseHeaderJson(bytes: Uint8Array, where: string): Record<string, unknown> {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    json = JSON.parse(text);
  } catch (cause) {
    throw damaged(where, 'has a header that is not JSON in UTF-8', { cause });
  }
  if (!isRecord(json)) throw damaged(where, 'has a header that is not a JSON object');
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw damaged(where, `has the key ${show(repeated)} twice in its header`);
  return json;
}

function parseMetadata(value: unknown, where: string): ReadonlyMap<string, string> {
  const isText = (pair: [string, unknown]): pair is [string, string] => typeof pair[1] === 'string';
  const pairs = isRecord(value) ? Object.entries(value) : null;
  if (!pairs?.every(isText)) throw damaged(where, 'has metadata that does not map names to strings');
  return new Map(pairs);
}

function parseEntry(name: string, value: unknown, dataBytes: number, where: string): SafetensorsEntry {
  const fail = (what: string) => damaged(where, `has a tensor ${show(name)} ${what}`);
  if (!isRecord(value)) throw fail('that is not described by a JSON object');
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(arrayTypes, dtype)) {
    const known = Object.keys(arrayTypes).join(', ');
    throw new ProxmoError(
      'file',
      `${where} has a tensor ${show(name)} of dtype ${show(dtype)}, which is not supported; use a file with these: ${known}.`,
    );
  }
  if (!isCounts(shape)) throw fail('whose shape is not a list of sizes');
  if (!isCounts(offsets) || offsets.length !== 2) throw fail('whose data_offsets are not two offsets');
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) throw fail(`at bytes ${begin} to ${end} of ${dataBytes}`);
  const bytes = elementCount(shape) * arrayTypes[dtype as SafetensorsDType].BYTES_PER_ELEMENT;
  if (bytes !== end - begin) throw fail(`whose shape and dtype need ${bytes} bytes, where it has ${end - begin}`);
  return { name, dtype: dtype as SafetensorsDType, shape, byteOffset: begin, byteLength: bytes };
}

/**
 * Number of elements of a shape; infinite as soon as the product, taken from the left, leaves the range of exact
 * integers.
 */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce(
    (count, size) => (count * size <= Number.MAX_SAFE_INTEGER ? count * size : Number.POSITIVE_INFINITY),
    1,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** A name in quotes for a message, shortened if it is long. */
function show(name: unknown): string {
  const text = name === undefined ? 'missing' : typeof name === 'object' && name !== null ? 'an object' : String(name);
  return `"${text.length > 80 ? `${text.slice(0, 80)}…` : text}"`;
}

function damaged(where: string, what: string, options?: ErrorOptions): ProxmoError {
  return new ProxmoError(
    'file',
    `${where} ${what}; it is damaged or not a safetensors file, so fetch or save it again.`,
    options,
  );
}

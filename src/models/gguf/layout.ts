/**
 * The layout of a GGUF file, checked before anything of a claimed size is made:
 *
 *   "GGUF" | version | number of tensors, of metadata | metadata: key, type, value … | tensors: name, sizes, type, offset … | padding | data
 *
 * Numbers are little-endian, a text is its length in 8 bytes and its UTF-8. Files come from anywhere, so every count is
 * held against the bytes that the file has left. Every tensor must lie in the data, one after the other without gap
 * or overlap; bytes after the last one are passed over. The values of the metadata are read by `@huggingface/gguf`,
 * which takes counts at their word; only a file that passes here is given to it.
 */
import { ProxmoError } from '../../base/errors.ts';
import { type GgufType, ggufTypes } from './quants.ts';

/** Where a tensor lies and how it is stored. */
export interface GgufTensor {
  readonly name: string;
  /** Sizes as the file has them: the one whose elements adjoin comes first. */
  readonly dimensions: readonly number[];
  readonly type: GgufType;
  /** Offset of the first byte in the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A text in the header. */
export interface TextSpan {
  readonly offset: number;
  readonly length: number;
}

/** A text in a value: which item of a list, or the value itself. */
export interface TextOfValue extends TextSpan {
  readonly index: number | null;
}

export interface GgufLayout {
  /** Tensors by name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** By key, the last text of its value, and those that begin with a byte order mark. */
  readonly marginalTexts: ReadonlyMap<string, readonly TextOfValue[]>;
}

/** Longest header that is read; those of large vocabularies take some 10 MB. `@huggingface/gguf` stops at 50 MB. */
export const maxHeaderBytes = 48_000_000;
const maxTextBytes = 10_000_000;
const maxNameBytes = 1024;
const maxArrayLength = 1_000_000;
const maxTensors = 100_000;
const maxKeys = 100_000;
const defaultAlignment = 32;
const maxAlignment = 1 << 20;

/** Bytes of a value by its type; a text begins with its length, and an array with its type and length. */
const valueBytes = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8] as const;
const uint32Type = 4;
const textType = 8;
const arrayType = 9;

/** Keys that the parser's result has for itself, or that no object should get from a file. */
const takenKeys = new Set(['version', 'tensor_count', 'kv_count', '__proto__']);

/**
 * Checks a header.
 * @param bytes the beginning of the file
 * @param fileBytes size of the file
 * @param where name of the file, for messages
 * @returns the layout, or null if the header goes on beyond `bytes`
 * @throws {ProxmoError} `file` if the file is not valid, or is of a kind that is not supported.
 */
export function scanGguf(bytes: Uint8Array, fileBytes: number, where: string): GgufLayout | null {
  const cursor = new Cursor(bytes, fileBytes, where);
  try {
    return scan(cursor);
  } catch (error) {
    if (error === moreBytes) return null;
    throw error;
  }
}

/** Thrown, and caught by `scanGguf`, where the given bytes end before the header does. */
const moreBytes = new Error('the header goes on');

/** Reads on, and never beyond the file. */
class Cursor {
  at = 0;
  readonly #view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly fileBytes: number,
    private readonly where: string,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.fileBytes - this.at;
  }

  fail(what: string): ProxmoError {
    return new ProxmoError('file', `${this.where} ${what}; it is damaged or not a GGUF file, so fetch it again.`);
  }

  /** Goes `count` bytes on, and gives the place before. */
  skip(count: number, what: string): number {
    if (count > this.left) throw this.fail(`ends within ${what}`);
    const start = this.at;
    this.at += count;
    if (this.at > maxHeaderBytes) throw this.fail(`has a header of more than ${maxHeaderBytes} bytes`);
    return start;
  }

  uint32(what: string): number {
    const start = this.skip(4, what);
    if (this.at > this.bytes.length) throw moreBytes;
    return this.#view.getUint32(start, true);
  }

  /** A number of 8 bytes, which must be exact as a JavaScript number. */
  uint64(what: string): number {
    const start = this.skip(8, what);
    if (this.at > this.bytes.length) throw moreBytes;
    const value = this.#view.getBigUint64(start, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fail(`claims ${value} for ${what}`);
    return Number(value);
  }

  /** How many items follow, each of at least `itemBytes`. */
  count(limit: number, itemBytes: number, what: string): number {
    const count = this.uint64(`the number of ${what}`);
    if (count > limit) throw this.fail(`claims ${count} ${what}, where ${limit} are allowed`);
    if (count * itemBytes > this.left) throw this.fail(`claims ${count} ${what}, but only ${this.left} bytes follow`);
    return count;
  }

  text(limit: number, what: string): TextSpan {
    const length = this.count(limit, 1, `bytes of ${what}`);
    return { offset: this.skip(length, what), length };
  }

  /** Whether a text begins with a byte order mark; also false where it lies beyond the given bytes. */
  hasMark({ offset, length }: TextSpan): boolean {
    return (
      length >= 3 && this.bytes[offset] === 0xef && this.bytes[offset + 1] === 0xbb && this.bytes[offset + 2] === 0xbf
    );
  }

  /** A short text, read. */
  name(what: string): string {
    const { offset, length } = this.text(maxNameBytes, what);
    if (this.at > this.bytes.length) throw moreBytes;
    return new TextDecoder().decode(this.bytes.subarray(offset, offset + length));
  }
}

function scan(cursor: Cursor): GgufLayout {
  if (cursor.uint32('its first bytes') !== 0x46554747) throw cursor.fail('does not begin with GGUF');
  const version = cursor.uint32('its version');
  if ((version & 0xffff) === 0) throw cursor.fail('is written for big-endian machines, which is not supported');
  if (version !== 2 && version !== 3) throw cursor.fail(`is of version ${version}, where 2 and 3 are supported`);
  // The shortest tensor has a name, one size, a type and an offset; the shortest metadata a key, a type and a byte.
  const tensorCount = cursor.count(maxTensors, 33, 'tensors');
  const keyCount = cursor.count(maxKeys, 14, 'metadata keys');
  const marginalTexts = new Map<string, readonly TextOfValue[]>();
  const keys = new Set<string>();
  let alignment = defaultAlignment;
  for (let i = 0; i < keyCount; i++) {
    const key = cursor.name(`metadata key ${i}`);
    if (!/^[\x21-\x7e]+$/.test(key) || takenKeys.has(key))
      throw cursor.fail(`has a metadata key ${show(key)}, which is no proper name`);
    if (keys.has(key)) throw cursor.fail(`has the metadata key ${show(key)} twice`);
    keys.add(key);
    if (key === 'general.alignment') alignment = readAlignment(cursor);
    else skipValue(cursor, key, marginalTexts);
  }
  const claims = readTensors(cursor, tensorCount);
  const dataStart = Math.ceil(cursor.at / alignment) * alignment;
  return { tensors: placeTensors(cursor, claims, dataStart, cursor.left + cursor.at, alignment), marginalTexts };
}

function readAlignment(cursor: Cursor): number {
  const type = cursor.uint32('general.alignment');
  const alignment = type === uint32Type ? cursor.uint32('general.alignment') : 0;
  const isPower = (alignment & (alignment - 1)) === 0;
  if (alignment < 8 || alignment > maxAlignment || !isPower) {
    throw cursor.fail(`has an alignment of ${alignment}, which is not a power of 2`);
  }
  return alignment;
}

/** Goes past a value, and notes its marginal texts. */
function skipValue(cursor: Cursor, key: string, marginalTexts: Map<string, readonly TextOfValue[]>): void {
  const type = cursor.uint32(show(key));
  const size = valueBytes[type];
  if (size === undefined) throw cursor.fail(`has the metadata ${show(key)} of type ${type}, which is not known`);
  if (type === textType) marginalTexts.set(key, [{ ...cursor.text(maxTextBytes, show(key)), index: null }]);
  else if (type !== arrayType) cursor.skip(size, show(key));
  else skipArray(cursor, key, marginalTexts);
}

function skipArray(cursor: Cursor, key: string, marginalTexts: Map<string, readonly TextOfValue[]>): void {
  const type = cursor.uint32(show(key));
  const size = valueBytes[type];
  if (size === undefined || type === arrayType) {
    throw cursor.fail(`has the metadata ${show(key)} with items of type ${type}, which is not known`);
  }
  const count = cursor.count(maxArrayLength, size, `items of ${show(key)}`);
  if (type !== textType) cursor.skip(count * size, show(key));
  else {
    const found: TextOfValue[] = [];
    for (let index = 0; index < count; index++) {
      const span = cursor.text(maxTextBytes, show(key));
      if (index === count - 1 || cursor.hasMark(span)) found.push({ ...span, index });
    }
    marginalTexts.set(key, found);
  }
}

/** A tensor as the header has it, its offset counted from the beginning of the data. */
type Claim = GgufTensor;

function readTensors(cursor: Cursor, count: number): Claim[] {
  const names = new Set<string>();
  return Array.from({ length: count }, (_, i) => {
    const name = cursor.name(`the name of tensor ${i}`);
    if (name === '' || names.has(name))
      throw cursor.fail(`has the tensor name ${show(name)} twice, or one without letters`);
    names.add(name);
    const rank = cursor.uint32(`tensor ${show(name)}`);
    if (rank < 1 || rank > 4)
      throw cursor.fail(`has a tensor ${show(name)} of ${rank} dimensions, where 1 to 4 are allowed`);
    const dimensions = Array.from({ length: rank }, () => cursor.uint64(`a size of tensor ${show(name)}`));
    const typeNumber = cursor.uint32(`tensor ${show(name)}`);
    const type = ggufTypes.get(typeNumber);
    if (!type) throw cursor.fail(`has a tensor ${show(name)} of type ${typeNumber}, which is not known`);
    const byteOffset = cursor.uint64(`the offset of tensor ${show(name)}`);
    return { name, dimensions, type, byteOffset, byteLength: tensorBytes(cursor, name, dimensions, type) };
  });
}

function tensorBytes(
  cursor: Cursor,
  name: string,
  dimensions: readonly number[],
  { blockValues, blockBytes, name: typeName }: GgufType,
): number {
  const values = dimensions.reduce(
    (product, size) => (product * size <= Number.MAX_SAFE_INTEGER ? product * size : Number.POSITIVE_INFINITY),
    1,
  );
  if (dimensions[0]! % blockValues !== 0) {
    throw cursor.fail(`has a tensor ${show(name)} with rows of ${dimensions[0]} values, no whole ${typeName} blocks`);
  }
  const bytes = (values / blockValues) * blockBytes;
  if (!(bytes > 0 && bytes <= cursor.left)) {
    throw cursor.fail(`has a tensor ${show(name)} of sizes [${dimensions}], more or less than its data`);
  }
  return bytes;
}

function placeTensors(
  cursor: Cursor,
  claims: readonly Claim[],
  dataStart: number,
  fileBytes: number,
  alignment: number,
): Map<string, GgufTensor> {
  let end = 0;
  for (const { name, byteOffset, byteLength } of [...claims].sort((a, b) => a.byteOffset - b.byteOffset)) {
    if (byteOffset !== end)
      throw cursor.fail(`has tensor ${show(name)} at byte ${byteOffset} of its data, where byte ${end} is due`);
    if (dataStart + byteOffset + byteLength > fileBytes) throw cursor.fail(`ends within tensor ${show(name)}`);
    end = Math.ceil((byteOffset + byteLength) / alignment) * alignment;
  }
  return new Map(claims.map((claim) => [claim.name, { ...claim, byteOffset: dataStart + claim.byteOffset }]));
}

/** A name in quotes for a message, shortened if it is long. */
function show(name: string): string {
  return `"${name.length > 80 ? `${name.slice(0, 80)}…` : name}"`;
}

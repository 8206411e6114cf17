import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProxmoError } from '../../src/base/errors.ts';
import {
  encodeSafetensors,
  parseSafetensors,
  parseSafetensorsHeader,
  readHeaderLength,
  type SafetensorsTensor,
  toFloat32,
} from '../../src/base/safetensors.ts';

const join = (pieces: Uint8Array[]) => new Uint8Array(Buffer.concat(pieces));

/** A file with this header (text or bytes) and so many bytes of data. */
function fileOf(header: string | Uint8Array, dataBytes: number, length?: bigint): Uint8Array {
  const bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const start = new Uint8Array(8);
  new DataView(start.buffer).setBigUint64(0, length ?? BigInt(bytes.length), true);
  return join([start, bytes, new Uint8Array(dataBytes)]);
}

const entry = (shape: string, begin: number, end: number, dtype = 'F32') =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

const tensor: fc.Arbitrary<SafetensorsTensor> = fc
  .record({ name: fc.string({ unit: 'binary' }), shape: fc.array(fc.nat(4), { maxLength: 3 }), seed: fc.nat(1000) })
  .chain(({ name, shape, seed }) => {
    const length = shape.reduce((count, size) => count * size, 1);
    const values = Array.from({ length }, (_, i) => (seed * (i + 1)) % 251);
    return fc
      .constantFrom<Omit<SafetensorsTensor, 'name' | 'shape'>>(
        { dtype: 'F32', data: Float32Array.from(values) },
        { dtype: 'F16', data: Uint16Array.from(values) },
        { dtype: 'BF16', data: Uint16Array.from(values) },
        { dtype: 'I64', data: BigInt64Array.from(values, BigInt) },
        { dtype: 'I32', data: Int32Array.from(values) },
        { dtype: 'U32', data: Uint32Array.from(values) },
        { dtype: 'U8', data: Uint8Array.from(values) },
      )
      .map((kind) => ({ name, shape, ...kind }));
  });
const tensors = fc
  .uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 })
  .filter((list) => list.every(({ name }) => name !== '__metadata__'));

describe('a file', () => {
  const weights = { name: 'w', dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } as const;
  const mask = { name: 'mask', dtype: 'U8', shape: [3], data: Uint8Array.of(1, 0, 1) } as const;

  test('starts with its header, padded to 8 bytes, and holds the data without gaps', () => {
    const [start, ...data] = encodeSafetensors([mask, weights], { format: 'pt' });
    expect(start!.length % 8).toBe(0);
    expect(new TextDecoder().decode(start!.subarray(8)).trimEnd()).toBe(
      '{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},' +
        '"mask":{"dtype":"U8","shape":[3],"data_offsets":[16,19]}}',
    );
    expect(data.map((piece) => piece.length)).toEqual([16, 3]);
  });

  test('comes back as it was, whatever the tensors', () => {
    fc.assert(
      fc.property(tensors, fc.dictionary(fc.string(), fc.string()), (list, metadata) => {
        const file = parseSafetensors(join(encodeSafetensors(list, metadata)));
        const byName = (a: SafetensorsTensor, b: SafetensorsTensor) => (a.name < b.name ? -1 : 1);
        expect([...file.tensors].sort(byName)).toEqual([...list].sort(byName));
        expect(Object.entries(metadata).every(([key, text]) => file.metadata.get(key) === text)).toBe(true);
        expect(file.metadata.size).toBe(Object.keys(metadata).length);
      }),
    );
  });

  test('does not depend on the order in which tensors are given', () => {
    expect(encodeSafetensors([mask, weights])).toEqual(encodeSafetensors([weights, mask]));
  });

  test('is not written when names repeat or data does not fit', () => {
    expect(() => encodeSafetensors([mask, mask])).toThrow('"mask" is taken already');
    expect(() => encodeSafetensors([{ ...mask, name: '__metadata__' }])).toThrow('is taken already');
    expect(() => encodeSafetensors([{ ...mask, shape: [4] }])).toThrow('cannot hold 3 values in a Uint8Array');
    expect(() => encodeSafetensors([{ ...weights, dtype: 'F16' }])).toThrow(
      'dtype F16 cannot hold 4 values in a Float32Array',
    );
  });
});

test('floating point tensors widen to float32, others do not', () => {
  const shape = [2];
  expect(toFloat32({ name: 'a', dtype: 'F16', shape, data: Uint16Array.of(0x3c00, 0xc000) })).toEqual(
    Float32Array.of(1, -2),
  );
  expect(toFloat32({ name: 'a', dtype: 'BF16', shape, data: Uint16Array.of(0x3f80, 0xc000) })).toEqual(
    Float32Array.of(1, -2),
  );
  expect(toFloat32({ name: 'a', dtype: 'F64', shape, data: Float64Array.of(0.1, 2) })).toEqual(Float32Array.of(0.1, 2));
  expect(() => toFloat32({ name: 'a', dtype: 'I32', shape, data: Int32Array.of(1, 2) })).toThrow(
    'Tensor "a" holds I32',
  );
});

test('a file in a buffer of Node, which lies in a larger one', () => {
  const list: SafetensorsTensor[] = [
    { name: 'a', dtype: 'F32', shape: [3], data: Float32Array.of(1, 2, 3) },
    { name: 'b', dtype: 'F32', shape: [1], data: Float32Array.of(4) },
  ];
  const file = Buffer.concat([Buffer.alloc(5, 9), ...encodeSafetensors(list)]).subarray(5);
  expect(parseSafetensors(file).tensors.map(({ data }) => [...data])).toEqual([[1, 2, 3], [4]]);
});

describe('hostile files', () => {
  const huge = '9007199254740991';

  test.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'is 0 bytes long'],
    ['half a length', new Uint8Array(7), 'is 7 bytes long'],
    ['a header longer than the file', fileOf('{}', 0, 3n), 'claims a header of 3 bytes, but only 2 follow'],
    ['a header over the limit', fileOf('{}', 0, 100_000_001n), '100000001 bytes, where 100000000 are allowed'],
    ['the largest length there is', fileOf('{}', 0, 2n ** 64n - 1n), '18446744073709551615 bytes'],
    ['no header', fileOf('', 0), 'not JSON'],
    ['a header that is not JSON', fileOf('{"a":', 0), 'not JSON'],
    ['a header that is not an object', fileOf('[]', 0), 'not a JSON object'],
    ['a header of nested lists', fileOf('['.repeat(100_000), 0), 'not JSON'],
    [
      'a header that is not UTF-8',
      fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 0),
      'not JSON in UTF-8',
    ],
    ['a byte order mark', fileOf('\ufeff{}', 0), 'not JSON'],
    [
      'a name twice',
      fileOf(`{"a":${entry('[1]', 0, 4)},"b":1,"\\u0061":${entry('[1]', 0, 4)}}`, 4),
      'the key "a" twice',
    ],
    [
      'a repeated key in a tensor',
      fileOf(`{"a":{"dtype":"U8",${entry('[1]', 0, 4).slice(1)}}`, 4),
      'the key "dtype" twice',
    ],
    ['metadata that is no object', fileOf('{"__metadata__":"x1"}', 0), 'metadata that does not map names to strings'],
    ['metadata that is not text', fileOf('{"__metadata__":{"a":1}}', 0), 'metadata that does not map names to strings'],
    ['a tensor that is no object', fileOf('{"a":[]}', 0), 'tensor "a" that is not described'],
    [
      'a dtype that does not exist',
      fileOf(`{"a":${entry('[1]', 0, 1, 'F8')}}`, 1),
      'of dtype "F8", which is not supported',
    ],
    ['a dtype from the prototype', fileOf(`{"a":${entry('[1]', 0, 1, 'toString')}}`, 1), 'of dtype "toString"'],
    [
      'a dtype of nested lists',
      fileOf(`{"a":{"dtype":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`, 0),
      'of dtype "an object"',
    ],
    ['a tensor without a dtype', fileOf('{"a":{}}', 0), 'of dtype "missing"'],
    ['a negative size', fileOf(`{"a":${entry('[-1]', 0, 4)}}`, 4), 'shape is not a list of sizes'],
    ['a fractional size', fileOf(`{"a":${entry('[0.5]', 0, 2)}}`, 2), 'shape is not a list of sizes'],
    [
      'a size too large to be exact',
      fileOf(`{"a":${entry('[9007199254740993]', 0, 4)}}`, 4),
      'shape is not a list of sizes',
    ],
    ['a shape that is a number', fileOf(`{"a":${entry('1', 0, 4)}}`, 4), 'shape is not a list of sizes'],
    ['a shape whose product overflows', fileOf(`{"a":${entry(`[${huge},${huge}]`, 0, 4)}}`, 4), 'need Infinity bytes'],
    ['a shape that overflows before a zero', fileOf(`{"a":${entry(`[${huge},2,0]`, 0, 0)}}`, 0), 'where it has 0'],
    ['a shape that does not fit its offsets', fileOf(`{"a":${entry('[2]', 0, 4)}}`, 4), 'need 8 bytes, where it has 4'],
    ['three offsets', fileOf('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}', 1), 'not two offsets'],
    ['offsets in reverse', fileOf(`{"a":${entry('[1]', 4, 0)}}`, 4), 'at bytes 4 to 0 of 4'],
    ['offsets past the end', fileOf(`{"a":${entry('[2]', 0, 8)}}`, 7), 'at bytes 0 to 8 of 7'],
    ['tensors that overlap', fileOf(`{"a":${entry('[2]', 0, 8)},"b":${entry('[1]', 4, 8)}}`, 8), 'tensor "b" overlap'],
    ['tensors in the same place', fileOf(`{"a":${entry('[1]', 0, 4)},"b":${entry('[1]', 0, 4)}}`, 4), 'overlap'],
    ['a gap', fileOf(`{"a":${entry('[1]', 0, 4)},"b":${entry('[1]', 8, 12)}}`, 12), '4 bytes before tensor "b"'],
    ['a gap at the start', fileOf(`{"a":${entry('[1]', 4, 8)}}`, 8), '4 bytes before tensor "a"'],
    ['data that belongs to no tensor', fileOf(`{"a":${entry('[1]', 0, 4)}}`, 5), '1 bytes at its end'],
  ])('%s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes, 'x.safetensors')).toThrow(ProxmoError);
    expect(() => parseSafetensors(bytes, 'x.safetensors')).toThrow(message);
  });

  test('odd but valid: empty tensors, names of the language, white space and unknown keys', () => {
    const header = ` {"__proto__":${entry('[0,9007199254740991]', 4, 4)}, "toString":{"note": "a\\"b","dtype":"F32","shape":[],"data_offsets":[0,4]}}  `;
    const { entries } = parseSafetensorsHeader(new TextEncoder().encode(header), 4, 'x');
    expect([...entries.keys()]).toEqual(['toString', '__proto__']);
    expect(entries.get('__proto__')).toMatchObject({ shape: [0, 9007199254740991], byteLength: 0 });
  });

  test('a length is checked before anything of that size is made', () => {
    const start = fileOf('', 0, 99_999_999n);
    expect(() => readHeaderLength(start, 1000, 'x')).toThrow('only 992 follow');
    expect(readHeaderLength(start, 100_000_007, 'x')).toBe(99_999_999);
  });

  test('a valid file with bytes changed or cut gives tensors within it or a ProxmoError', () => {
    const file = tensors.map((list) => join(encodeSafetensors(list, { format: 'pt' })));
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(file, edits, fc.option(fc.nat()), (bytes, changes, cut) => {
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        expectTensorsOrError(cut === null ? bytes : bytes.subarray(0, cut % bytes.length));
      }),
      { numRuns: 500 },
    );
  });

  test('a header of any JSON gives tensors within the data or a ProxmoError', () => {
    const count = fc.oneof(fc.nat(9), fc.constantFrom(-1, 0.5, 2 ** 53, Number.MAX_SAFE_INTEGER, null, '1'));
    const description = fc.record(
      {
        dtype: fc.constantFrom('F32', 'U8', 'BF16', 'F99', 1),
        shape: fc.array(count),
        data_offsets: fc.array(count, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    const header = fc.oneof(
      fc.json(),
      fc.dictionary(fc.string(), fc.oneof(description, fc.jsonValue())).map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(header, fc.nat(16), (json, dataBytes) => expectTensorsOrError(fileOf(json, dataBytes))),
      { numRuns: 500 },
    );
  });
});

function expectTensorsOrError(bytes: Uint8Array): void {
  try {
    const total = parseSafetensors(bytes).tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
    expect(total).toBeLessThanOrEqual(bytes.length);
  } catch (error) {
    expect(error).toBeInstanceOf(ProxmoError);
  }
}

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProxmoError } from '../../../src/base/errors.ts';
import { scanGguf } from '../../../src/models/gguf/layout.ts';
import { arrayOf, type GgufPieces, ggufBytes, join, keyValue, tensorInfo, text, u32, u64 } from '../../support/gguf.ts';

const scan = (bytes: Uint8Array, fileBytes = bytes.length) => scanGguf(bytes, fileBytes, 'it');
const tensor = (offset = 0, name = 'a') => tensorInfo(name, [8], 0, offset);

describe('a valid header', () => {
  test('says where each tensor lies', () => {
    const bytes = ggufBytes({ tensors: [tensorInfo('b', [32, 2], 8, 32), tensor()], dataBytes: 32 + 68 });
    const { tensors } = scan(bytes)!;
    expect([...tensors.keys()]).toEqual(['b', 'a']);
    expect(tensors.get('b')).toMatchObject({
      dimensions: [32, 2],
      byteOffset: bytes.length - 68,
      byteLength: 68,
      type: { name: 'Q8_0' },
    });
    expect(tensors.get('a')).toMatchObject({ byteOffset: bytes.length - 100, byteLength: 32 });
  });

  test('may be that of a file that goes on after its tensors', () => {
    const bytes = ggufBytes({ tensors: [tensor()], dataBytes: 96 });
    expect(scan(bytes)!.tensors.get('a')).toMatchObject({ byteOffset: bytes.length - 96, byteLength: 32 });
  });

  test('asks for more bytes where it goes on beyond those given, whatever their number', () => {
    const list = keyValue('list', 9, arrayOf(8, [text('one'), text('two')]));
    const bytes = ggufBytes({ keys: [list, keyValue('n', 12, u64(0))], tensors: [tensor()], dataBytes: 32 });
    const header = bytes.length - 32;
    const lengths = Array.from({ length: header + 1 }, (_, length) => length);
    const whole = lengths.filter((length) => scan(bytes.subarray(0, length), bytes.length) !== null);
    // The padding behind the header is not needed.
    expect(whole.length).toBeGreaterThan(0);
    expect(whole.length).toBeLessThan(33);
    expect(whole.at(-1)).toBe(header);
  });

  test('may choose its alignment', () => {
    const keys = [keyValue('general.alignment', 4, u32(64))];
    const header = ggufBytes({ keys, tensors: [tensor(), tensor(64, 'b')] });
    const bytes = join(header, new Uint8Array((64 - (header.length % 64)) % 64), new Uint8Array(64 + 32));
    expect(scan(bytes)!.tensors.get('b')!.byteOffset % 64).toBe(0);
  });
});

describe('a header that lies', () => {
  const huge = 2n ** 63n - 1n;
  const cases: readonly (readonly [string, GgufPieces, RegExp])[] = [
    ['another kind of file', { magic: 'GGML' }, /does not begin with GGUF/],
    ['an old version', { version: 1 }, /is of version 1, where 2 and 3 are supported/],
    ['the other order of bytes', { version: 0x03000000 }, /big-endian/],
    ['too many tensors', { tensorCount: 5_000 }, /claims 5000 tensors, but only/],
    ['far too many tensors', { tensorCount: huge }, /claims 9223372036854775807 for the number of tensors/],
    ['too many keys', { keyCount: 99_999 }, /claims 99999 metadata keys, but only/],
    [
      'a key too long for the file',
      { keys: [u64(1000), new Uint8Array(60)].map((piece) => join(piece)), keyCount: 1 },
      /claims 1000 bytes of metadata key 0/,
    ],
    ['a key that no file has', { keys: [keyValue('__proto__', 4, u32(1))] }, /"__proto__", which is no proper name/],
    ['a key twice', { keys: [keyValue('k', 4, u32(1)), keyValue('k', 4, u32(1))] }, /has the metadata key "k" twice/],
    ['a type of value', { keys: [keyValue('k', 13, u64(1))] }, /"k" of type 13, which is not known/],
    [
      'a list of lists',
      { keys: [keyValue('k', 9, arrayOf(9, [u64(0), u64(0)]))] },
      /items of type 9, which is not known/,
    ],
    [
      'a list too long for the file',
      { keys: [keyValue('k', 9, arrayOf(10, [], 900_000))] },
      /claims 900000 items of "k", but only/,
    ],
    [
      'a list too long',
      { keys: [keyValue('k', 9, arrayOf(0, [], 2 ** 40))] },
      /claims 1099511627776 items of "k", where 1000000/,
    ],
    [
      'a text too long',
      { keys: [keyValue('k', 8, join(u64(2 ** 50), new Uint8Array(16)))] },
      /claims 1125899906842624 bytes of "k"/,
    ],
    ['an alignment', { keys: [keyValue('general.alignment', 4, u32(24))] }, /an alignment of 24/],
    ['no alignment', { keys: [keyValue('general.alignment', 4, u32(0))] }, /an alignment of 0/],
    ['a tensor twice', { tensors: [tensor(), tensor(32)], dataBytes: 64 }, /has the tensor name "a" twice/],
    ['five dimensions', { tensors: [tensorInfo('a', [1, 1, 1, 1, 1], 0, 0)], dataBytes: 32 }, /of 5 dimensions/],
    [
      'sizes beyond all numbers',
      { tensors: [tensorInfo('a', [2 ** 32, 2 ** 32, 2 ** 32], 0, 0)], dataBytes: 32 },
      /more or less than its data/,
    ],
    ['a size of nothing', { tensors: [tensorInfo('a', [0, 4], 0, 0)], dataBytes: 32 }, /more or less than its data/],
    [
      'a size that is negative',
      { tensors: [tensorInfo('a', [2n ** 64n - 1n], 0, 0)], dataBytes: 32 },
      /claims 18446744073709551615/,
    ],
    [
      'half a block',
      { tensors: [tensorInfo('a', [48], 8, 0)], dataBytes: 64 },
      /rows of 48 values, no whole Q8_0 blocks/,
    ],
    ['a type of tensor', { tensors: [tensorInfo('a', [8], 4, 0)], dataBytes: 32 }, /"a" of type 4, which is not known/],
    [
      'a tensor beyond the end',
      { tensors: [tensor(), tensorInfo('b', [32], 0, 32)], dataBytes: 128 },
      /ends within tensor "b"/,
    ],
    ['a gap', { tensors: [tensor(64)], dataBytes: 96 }, /"a" at byte 64 of its data, where byte 0 is due/],
    [
      'an overlap',
      { tensors: [tensor(), tensor(0, 'b')], dataBytes: 64 },
      /"b" at byte 0 of its data, where byte 32 is due/,
    ],
  ];

  test.each(cases)('%s', (_, pieces, message) => {
    expect(() => scan(ggufBytes(pieces))).toThrow(message);
    try {
      scan(ggufBytes(pieces));
    } catch (error) {
      expect(error).toMatchObject({
        code: 'file',
        message: /^it .*; it is damaged or not a GGUF file, so fetch it again\.$/,
      });
    }
  });

  test('any bytes changed or cut give tensors within the file, a wish for more, or a ProxmoError', () => {
    const valid = new Uint8Array(readFileSync(new URL('../../fixtures/gguf/llama.gguf', import.meta.url)));
    const change = fc.record({
      at: fc.oneof(fc.nat(2000), fc.nat(valid.length - 1)),
      value: fc.oneof(fc.nat(255), fc.constantFrom(0, 255)),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), fc.option(fc.nat(valid.length)), (changes, cut) => {
        const bytes = valid.slice(0, cut ?? valid.length);
        for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
        try {
          for (const { byteOffset, byteLength } of scan(bytes)?.tensors.values() ?? []) {
            expect(byteOffset + byteLength).toBeLessThanOrEqual(bytes.length);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProxmoError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

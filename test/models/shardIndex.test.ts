import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProxmoError } from '../../src/base/errors.ts';
import { parseShardIndex } from '../../src/models/shardIndex.ts';

test('gives the file of each tensor', () => {
  const files = parseShardIndex(
    '{"metadata":{"total_size":8},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}',
  );
  expect([...files]).toEqual([
    ['a', 'model-00001-of-00002.safetensors'],
    ['b', 'model-00002-of-00002.safetensors'],
  ]);
});

describe('an index that lies', () => {
  test.each([
    ['no JSON', '{', 'is not JSON'],
    ['no object', '[]', 'has no weight_map'],
    ['no map', '{"weight_map":["a"]}', 'has no weight_map'],
    ['a file that is no text', '{"weight_map":{"a":1}}', 'has no weight_map'],
    ['nothing in it', '{"weight_map":{}}', 'has a weight_map without tensors'],
    ['a tensor twice', '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}', 'has the key "a" twice'],
    [
      'a tensor twice, spelled otherwise',
      '{"weight_map":{"a":"x.safetensors","\\u0061":"y.safetensors"}}',
      'has the key "a" twice',
    ],
    [
      'two maps',
      '{"weight_map":{"a":"x.safetensors"},"weight_map":{"a":"y.safetensors"}}',
      'has the key "weight_map" twice',
    ],
  ])('%s', (_, text, message) => {
    expect(() => parseShardIndex(text, 'it')).toThrow(`it ${message}`);
  });

  test.each([
    '../x.safetensors',
    '/etc/x.safetensors',
    'a/x.safetensors',
    'a\\x.safetensors',
    '..safetensors/',
    'C:x.safetensors',
    'x.bin',
    '',
    '.safetensors',
  ])('a file that is not beside it: %j', (file) => {
    expect(() => parseShardIndex(JSON.stringify({ weight_map: { a: file } }), 'it')).toThrow(
      'which is not a safetensors file beside it',
    );
  });

  test('any JSON gives file names or a ProxmoError', () => {
    const map = fc.dictionary(
      fc.string(),
      fc.oneof(fc.string(), fc.constantFrom('x.safetensors', '../x.safetensors'), fc.jsonValue()),
    );
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      map.map((weight_map) => JSON.stringify({ weight_map })),
    );
    fc.assert(
      fc.property(text, (json) => {
        try {
          for (const file of parseShardIndex(json).values()) expect(file).toMatch(/^[^/\\:]+\.safetensors$/);
        } catch (error) {
          expect(error).toBeInstanceOf(ProxmoError);
        }
      }),
    );
  });
});

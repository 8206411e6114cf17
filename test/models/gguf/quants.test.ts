/**
 * Blocks of each type against the values that the gguf package makes of them, bit by bit; written by
 * test/oracle/gguf_files.py.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { dequantize, ggufTypes, readableTypes } from '../../../src/models/gguf/quants.ts';

const url = new URL('../../fixtures/gguf/quants.json', import.meta.url);
const cases = JSON.parse(readFileSync(url, 'utf8')) as Record<
  string,
  { readonly blocks: string; readonly values: string }
>;
const bytesOf = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));
const typeOf = (name: string) => [...ggufTypes.values()].find((type) => type.name === name)!;

test.each(Object.entries(cases))('%s', (name, { blocks, values }) => {
  const type = typeOf(name);
  const bytes = bytesOf(blocks);
  const widened = new Float32Array((bytes.length / type.blockBytes) * type.blockValues);
  dequantize(type, bytes, widened);
  expect(new Uint32Array(widened.buffer)).toEqual(new Uint32Array(bytesOf(values).buffer));
});

test('every readable type is held against the reference, but those that are taken as they are', () => {
  expect(readableTypes.filter((name) => !Object.hasOwn(cases, name))).toEqual(['F32', 'F64']);
  const values = new Float32Array(2);
  dequantize(typeOf('F64'), new Uint8Array(Float64Array.of(0.1, -3).buffer), values);
  expect(values).toEqual(Float32Array.of(0.1, -3));
  dequantize(typeOf('F32'), new Uint8Array(Float32Array.of(0.1, -3).buffer), values);
  expect(values).toEqual(Float32Array.of(0.1, -3));
});

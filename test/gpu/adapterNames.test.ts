/** Which adapters a choice fits, in both spellings of their names. */
import { describe, expect, it } from 'vitest';
import { isPartOfName, isSoftwareName, listedNames } from '../../src/gpu/adapterNames.ts';

const listed = 'llvmpipe (LLVM 15.0.6, 256 bits)';
const opened = 'llvmpipe-llvm-15-0-6-256-bits-';

it('reads the list in the message that Dawn rejects an unknown name with', () => {
  const message = `Error: no suitable backends found
Available adapters:
 * backend: 'vulkan', name: '${listed}'
 * backend: 'vulkan', name: 'Bob's GPU'`;
  expect(listedNames(message)).toEqual([listed, "Bob's GPU"]);
  expect(listedNames('Error: something else')).toEqual([]);
});

describe('a part of a name', () => {
  it.each(['llvmpipe', 'LLVMpipe', opened, listed, '15.0.6', 'LLVM 15'])('%s fits both spellings', (part) => {
    expect([isPartOfName(part, listed), isPartOfName(part, opened)]).toEqual([true, true]);
  });

  it.each(['', '-', 'nvidia', '15.0.7'])('%j fits neither', (part) => {
    expect([isPartOfName(part, listed), isPartOfName(part, opened)]).toEqual([false, false]);
  });
});

it('tells software drivers by their names', () => {
  expect([listed, 'SwiftShader Device (Subzero)', 'Microsoft Basic Render Driver'].every(isSoftwareName)).toBe(true);
  expect(isSoftwareName('NVIDIA GeForce RTX 4090')).toBe(false);
});

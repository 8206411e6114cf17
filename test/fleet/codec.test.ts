import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/sha256.ts';
import { floatsToText, packed, textToFloats, unpacked } from '../../src/fleet/codec.ts';

describe('messages', () => {
  it('come out as they went in', async () => {
    const value = { text: 'é€𝄞', list: [1, null, 'x'.repeat(100_000)] };
    const bytes = await packed(value);
    expect(bytes.length).toBeLessThan(1000);
    expect(await unpacked(bytes)).toEqual(value);
  });

  it('are refused where a byte is missing, added or another', async () => {
    const bytes = await packed({ list: Array.from({ length: 1000 }, (_, index) => Math.sin(index)) });
    const altered = Uint8Array.from(bytes);
    altered[200]! ^= 4;
    for (const bad of [bytes.slice(0, -1), bytes.slice(0, 20), new Uint8Array(0), altered])
      await expect(unpacked(bad)).rejects.toMatchObject({ code: 'data' });
  });

  it('that would fill the memory are refused', async () => {
    const bomb = await packed(' '.repeat(100_000));
    expect(bomb.length).toBeLessThan(1000);
    await expect(unpacked(bomb, 50_000)).rejects.toMatchObject({ code: 'data' });
  });

  it('keep every bit of float32', () => {
    const values = [0, -0, 1 / 3, -1e-30, -87.5].map(Math.fround);
    expect(Array.from(textToFloats(floatsToText(values), 5))).toEqual(values);
    expect(Object.is(textToFloats(floatsToText([-0]), 1)[0], -0)).toBe(true);
    expect(() => textToFloats(floatsToText(values), 4)).toThrow('5 numbers where 4 belong');
  });

  it('are named by their SHA-256', async () => {
    expect(await sha256(new TextEncoder().encode('abc'))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });
});

import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/sha256.ts';
import { RandomStream } from '../../src/envs/random.ts';
import {
  floatsToText,
  packed,
  packedDifference,
  textToFloats,
  unpacked,
  unpackedDifference,
} from '../../src/fleet/codec.ts';

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

describe('what changed in weights', () => {
  const bytesOf = (values: ArrayLike<number>) => new Uint8Array(Float32Array.from(values).buffer);
  const random = new RandomStream(1);
  const before = Array.from({ length: 5000 }, () => random.below(2 ** 32) / 2 ** 33 - 0.25);

  it('is a part of them where little did, and leads to the same bits', async () => {
    const after = before.map((value, at) => value + (at % 2 ? 1e-4 : -1e-5));
    const change = await packedDifference(bytesOf(after), bytesOf(before));
    expect(change.length).toBeLessThan(0.6 * 4 * after.length);
    expect(await unpackedDifference(change, bytesOf(before))).toEqual(bytesOf(after));
  });

  it('may be anything that a float32 can hold', async () => {
    const words = [0, 0x8000_0000, 1, 0x8000_0001, 0x7f80_0000, 0xff80_0000, 0x7fc0_0001, 0xffff_ffff, 0x7fff_ffff];
    const all = words.flatMap((from) => words.map((to) => [from, to] as const));
    const [from, to] = [0, 1].map((which) => new Uint8Array(Uint32Array.from(all, (pair) => pair[which]!).buffer));
    expect(await unpackedDifference(await packedDifference(to!, from!), from!)).toEqual(to);
  });

  it('is refused where it is damaged, or of other weights', async () => {
    const change = await packedDifference(bytesOf(before), bytesOf(before));
    expect(change.length).toBeLessThan(100);
    for (const [bad, base] of [
      [change.slice(0, -1), before],
      [change, before.slice(1)],
      [change, [...before, 1]],
    ] as const)
      await expect(unpackedDifference(bad, bytesOf(base))).rejects.toMatchObject({ code: 'data' });
  });
});

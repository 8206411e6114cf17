/**
 * Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), for the host and for the
 * references of kernels. `shaders/lib/philox.wgsl` is its twin.
 */

const multiplierA = 0xd2511f53;
const multiplierB = 0xcd9e8d57;
const weylA = 0x9e3779b9;
const weylB = 0xbb67ae85;

export type Four = readonly [number, number, number, number];

/** Four random 32-bit numbers for a counter and a key. */
export function philox(counter: Four, key: readonly [number, number]): Four {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiplyWide(multiplierA, c0);
    const [high1, low1] = multiplyWide(multiplierB, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + weylA) >>> 0;
    k1 = (k1 + weylB) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The 64-bit product of two 32-bit numbers, as high and low word. */
function multiplyWide(a: number, b: number): [high: number, low: number] {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const low = aLow * (b >>> 0);
  const high = aHigh * (b >>> 0) + Math.floor(low / 65_536);
  return [Math.floor(high / 65_536) >>> 0, Math.imul(a, b) >>> 0];
}

/** The number in [0, 1) that the top 24 bits of a random word give; the same in float32. */
export function unit(word: number): number {
  return (word >>> 8) / 16_777_216;
}

/**
 * Counter-based random numbers: Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A number depends on its key and
 * counter alone, so it is the same on every device, in every order, for every batch. `shaders/lib/philox.wgsl` is its twin.
 */

const multiplierA = 0xd2511f53;
const multiplierB = 0xcd9e8d57;
const weylA = 0x9e3779b9;
const weylB = 0xbb67ae85;

type Four = readonly [number, number, number, number];

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

/** A stream of random numbers for host code, named by a seed and a purpose so that streams never share numbers. */
export class Random {
  private counter = 0;
  private words: Four = [0, 0, 0, 0];
  private readonly key: readonly [number, number];
  private readonly stream: number;

  constructor(seed: number, purpose: string) {
    this.key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    this.stream = hashString(purpose);
  }

  /** A 32-bit number. */
  nextWord(): number {
    const index = this.counter % 4;
    if (index === 0) this.words = philox([Math.floor(this.counter / 4) >>> 0, this.stream, 0, 0], this.key);
    this.counter++;
    return this.words[index] ?? 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return unit(this.nextWord());
  }

  /** A whole number in [0, bound). */
  below(bound: number): number {
    return Math.min(bound - 1, Math.floor((this.nextWord() / 2 ** 32) * bound));
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A shuffled copy (Fisher and Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let last = copy.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      [copy[last], copy[other]] = [copy[other] as T, copy[last] as T];
    }
    return copy;
  }
}

/** FNV-1a over UTF-16 code units. */
function hashString(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

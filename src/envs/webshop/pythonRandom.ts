/**
 * The random numbers of Python's `random` module: the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998) with
 * CPython's seeding and its ways to draw from it, bit for bit. The shop's goals are drawn with them, so that a seed
 * gives the goals that it gives in the original.
 */

const SIZE = 624;
const PERIOD = 397;

export class PythonRandom {
  readonly #state = new Uint32Array(SIZE);
  #next = SIZE;

  /**
   * The stream of `random.seed(seed)`; the sign of a seed is ignored, as in Python.
   * @param seed an integer that JavaScript can hold exactly
   */
  constructor(seed: number) {
    const words: number[] = [];
    for (let rest = Math.abs(seed); rest > 0; rest = Math.floor(rest / 2 ** 32)) words.push(rest >>> 0);
    this.#seedByWords(words.length === 0 ? [0] : words);
  }

  /** A float in [0, 1) with 53 random bits. */
  random(): number {
    const high = this.#draw() >>> 5;
    const low = this.#draw() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** A float between `low` and `high`, which may stand in either order. */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.random();
  }

  /** An integer in [0, bound), for `bound` from 1 to 2³² − 1. */
  below(bound: number): number {
    const bits = 32 - Math.clz32(bound);
    for (;;) {
      const value = this.#draw() >>> (32 - bits);
      if (value < bound) return value;
    }
  }

  /** `random.choice`. */
  choice<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** `random.choices` of `count` items with equal weights. */
  choices<T>(items: readonly T[], count: number): T[] {
    return Array.from({ length: count }, () => items[Math.floor(this.random() * items.length)]!);
  }

  /** `random.shuffle`: in place. */
  shuffle<T>(items: T[]): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
  }

  /** `random.sample`: `count` different items, in the order in which they are drawn. */
  sample<T>(items: readonly T[], count: number): T[] {
    // Python draws from a pool where that takes less memory than a set of the positions already taken; the two give
    // different samples.
    const setSize = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0);
    return items.length <= setSize ? this.#sampleFromPool(items, count) : this.#sampleByPosition(items, count);
  }

  #sampleFromPool<T>(items: readonly T[], count: number): T[] {
    const pool = [...items];
    return Array.from({ length: count }, (_, drawn) => {
      const left = pool.length - drawn;
      const at = this.below(left);
      const item = pool[at]!;
      pool[at] = pool[left - 1]!;
      return item;
    });
  }

  #sampleByPosition<T>(items: readonly T[], count: number): T[] {
    const taken = new Set<number>();
    while (taken.size < count) taken.add(this.below(items.length));
    return [...taken].map((at) => items[at]!);
  }

  /** `init_by_array` of the reference implementation. */
  #seedByWords(words: readonly number[]): void {
    const state = this.#state;
    state[0] = 19650218;
    for (let i = 1; i < SIZE; i++) state[i] = Math.imul(1812433253, state[i - 1]! ^ (state[i - 1]! >>> 30)) + i;
    let i = 1;
    const advance = (): void => {
      i++;
      if (i < SIZE) return;
      state[0] = state[SIZE - 1]!;
      i = 1;
    };
    const mixed = (factor: number): number => state[i]! ^ Math.imul(state[i - 1]! ^ (state[i - 1]! >>> 30), factor);
    for (let k = 0; k < Math.max(SIZE, words.length); k++) {
      const j = k % words.length;
      state[i] = mixed(1664525) + words[j]! + j;
      advance();
    }
    for (let k = 0; k < SIZE - 1; k++) {
      state[i] = mixed(1566083941) - i;
      advance();
    }
    state[0] = 0x80000000;
  }

  /** The next 32 random bits. */
  #draw(): number {
    if (this.#next >= SIZE) this.#renew();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #renew(): void {
    const state = this.#state;
    for (let i = 0; i < SIZE; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
      state[i] = state[(i + PERIOD) % SIZE]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}

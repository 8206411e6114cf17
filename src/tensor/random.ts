/**
 * Counter-based random numbers for the host, from Philox (`kernels/philox.ts`). A number depends on its key and counter
 * alone, so it is the same on every device, in every order, for every batch.
 */
import { type Four, philox, unit } from '../../kernels/philox.ts';

export { philox, unit };

/**
 * A stream of random numbers for host code, named by a seed and a purpose so that streams never share numbers.
 * @example
 * const random = new Random(1, 'my data');
 * const [x, n] = [random.uniform(), random.below(10)];
 */
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

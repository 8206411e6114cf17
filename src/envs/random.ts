/**
 * Seeded chance for environments: a hash of text and a small generator, both exact on every platform. Not for
 * cryptography.
 *
 * The engine has a generator of its own (`src/tensor/random.ts`), whose numbers are those of its kernels. It cannot
 * stand in here: environments know nothing of the engine, and every room, task order and product that was ever drawn
 * would be another one.
 */

/** A 32-bit hash of a text (FNV-1a with a final mix). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** A repeatable stream of chance. */
export class RandomStream {
  private state: number;

  /** The stream of a seed and any number of further keys; streams of different keys are independent. */
  constructor(...keys: readonly number[]) {
    // Text keeps (1, 23) and (12, 3) apart.
    this.state = hashText(keys.join(','));
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    // Weyl sequence and mix: the generator known as splitmix, in 32 bits.
    this.state = (this.state + 0x9e3779b9) >>> 0;
    return Math.floor((mix(this.state) / 2 ** 32) * bound);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** A shuffled copy (Fisher and Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [copy[i], copy[j]] = [copy[j]!, copy[i]!];
    }
    return copy;
  }
}

/** Spreads every input bit over all output bits (finaliser of MurmurHash3). */
function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

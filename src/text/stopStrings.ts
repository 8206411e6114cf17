/**
 * Stop strings: texts that end a reply, such as `</action>`. A reply comes in pieces, and a stop string may lie across
 * several of them; so whatever might be the beginning of one is held back until it is known not to be.
 */
import { ProxmoError } from '../base/errors.ts';

export interface StopResult {
  /** Text that belongs to the reply and was not given before. */
  readonly text: string;
  /** The stop string that was found; null while there is none. */
  readonly stop: string | null;
}

/**
 * Watches one reply. What it finds does not depend on how the reply is cut into pieces.
 * @example
 * const stops = new StopStrings(['</action>']);
 * stops.push('go left</act'); // { text: 'go left', stop: null }
 * stops.push('ion>'); // { text: '', stop: '</action>' }
 */
export class StopStrings {
  readonly #stops: readonly string[];
  /** Held back: the beginning of a stop string, perhaps. */
  #held = '';
  #stop: string | null = null;

  /** @throws {ProxmoError} `config` if a stop string is empty. */
  constructor(stops: Iterable<string>) {
    this.#stops = [...new Set(stops)];
    if (this.#stops.includes('')) {
      throw new ProxmoError('config', 'Stop strings: one is empty and would end every reply at once; leave it out.');
    }
  }

  /**
   * Takes the next piece of text. The stop string that ends first counts, the longest one where several end together.
   * After one was found, further pieces give nothing.
   */
  push(piece: string): StopResult {
    if (this.#stop !== null) return { text: '', stop: this.#stop };
    const text = this.#held + piece;
    const found = this.#firstStop(text);
    if (found) {
      this.#stop = found.stop;
      this.#held = '';
      return { text: text.slice(0, found.start), stop: found.stop };
    }
    const sure = text.length - this.#longestBeginning(text);
    this.#held = text.slice(sure);
    return { text: text.slice(0, sure), stop: null };
  }

  /** What was held back, at the end of a reply without a stop string. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  #firstStop(text: string): { stop: string; start: number } | null {
    let best: { stop: string; start: number } | null = null;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      if (start < 0) continue;
      const later = best ? start + stop.length - (best.start + best.stop.length) : -1;
      if (!best || later < 0 || (later === 0 && start < best.start)) best = { stop, start };
    }
    return best;
  }

  /** Length of the longest end of a text with which a stop string begins. */
  #longestBeginning(text: string): number {
    const longest = this.#stops.reduce((length, stop) => Math.max(length, stop.length - 1), 0);
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      const end = text.slice(text.length - length);
      if (this.#stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}

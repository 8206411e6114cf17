/**
 * A sequence that stays in a generator's KV cache between replies, as the transcript of an episode: each prompt is read
 * behind what was read and written before. `Generator.openSession` makes sessions.
 */
export class Session {
  private known: number[] = [];
  private inCache = 0;
  private isOpen = true;

  constructor(
    /** Place in the KV cache. */
    readonly slot: number,
    private readonly giveBack: () => void,
  ) {}

  /** Everything that was read and written, in order. */
  get tokens(): readonly number[] {
    return this.known;
  }

  /** How many of the tokens have their keys and values in the cache. */
  get cached(): number {
    return this.inCache;
  }

  get isClosed(): boolean {
    return !this.isOpen;
  }

  /** What is to be read before a reply to a prompt: the last token of a reply is sampled, but not read. */
  unreadWith(prompt: ArrayLike<number>): number[] {
    return [...this.known.slice(this.inCache), ...Array.from(prompt)];
  }

  /** Called by the generator when it has answered. */
  extend(prompt: ArrayLike<number>, reply: readonly number[]): void {
    this.known = [...this.known, ...Array.from(prompt), ...reply];
    // Each token of the reply but the last was read to sample the next.
    this.inCache = this.known.length - 1;
  }

  /** Forgets everything: the next prompt begins a sequence. */
  clear(): void {
    this.known = [];
    this.inCache = 0;
  }

  /** Gives its place in the cache to others. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.clear();
    this.giveBack();
  }
  /** `close`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

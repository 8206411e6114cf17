/**
 * Work that tells of itself as it goes, and comes to a result: a reply and its text, a training run and its events. It
 * begins when it is first asked for either.
 * @example
 * const stream = new ResultStream(async (tell) => {
 *   tell('half');
 *   return 2;
 * });
 * for await (const piece of stream) console.log(piece); // half
 * console.log(await stream.result); // 2
 */
export class ResultStream<Piece, Result> implements AsyncIterable<Piece> {
  private readonly waiting: Piece[] = [];
  private done: Promise<Result> | null = null;
  private isOver = false;
  private isRead = false;
  private isLeft = false;
  /** Wakes the reader. */
  private wake = () => {};

  /**
   * @param work gives pieces to `tell`, and ends early where `isLeft` says that its reader is gone
   * @param onLeft told when the reader is gone
   */
  constructor(
    private readonly work: (tell: (piece: Piece) => void, isLeft: () => boolean) => Promise<Result>,
    private readonly onLeft = () => {},
  ) {}

  /**
   * Of work that a signal ends. Leaving the loop fires its signal too.
   * @param signal of the caller
   */
  static abortable<Piece, Result>(
    signal: AbortSignal | undefined,
    work: (tell: (piece: Piece) => void, signal: AbortSignal) => Promise<Result>,
  ): ResultStream<Piece, Result> {
    const left = new AbortController();
    const either = signal ? AbortSignal.any([signal, left.signal]) : left.signal;
    return new ResultStream(
      (tell) => work(tell, either),
      () => left.abort(),
    );
  }

  /** What it comes to. */
  get result(): Promise<Result> {
    return this.begin();
  }

  /** Its pieces from here on, for one reader. An error ends them; leaving the loop ends the work. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Piece, void> {
    this.isRead = true;
    const done = this.begin();
    try {
      while (true) {
        while (this.waiting.length > 0) yield this.waiting.shift()!;
        if (this.isOver) break;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      await done;
    } finally {
      this.isRead = false;
      if (!this.isOver) {
        this.isLeft = true;
        this.onLeft();
      }
    }
  }

  private begin(): Promise<Result> {
    if (this.done) return this.done;
    const tell = (piece: Piece) => {
      if (this.isRead) this.waiting.push(piece);
      this.wake();
    };
    this.done = this.work(tell, () => this.isLeft).finally(() => {
      this.isOver = true;
      this.wake();
    });
    // Whoever reads the pieces gets its error there.
    this.done.catch(() => {});
    return this.done;
  }
}

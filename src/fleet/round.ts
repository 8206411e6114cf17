/**
 * The pieces of one rollout while they are out: which are done, and which are to be given again, since their worker
 * failed, or takes much longer than others did. It knows nothing of how pieces get to workers.
 */
import { ProxmoError } from '../base/errors.ts';
import { presenceSeconds } from './protocol.ts';

/** A piece is given again when it takes this many times as long as the middle one of those before. */
const slowFactor = 3;
/** But not before so many seconds. */
const leastSeconds = 2;
/** While nothing is known of how long pieces take: the first ones compile kernels. */
const firstSeconds = 90;
/** Of so many pieces it is known how long they took. */
const remembered = 64;
/** A piece that fails on so many workers fails for a reason of its own. */
const mostFailures = 3;

/** How long pieces of a run take. */
export class PieceTimes {
  private readonly seconds: number[] = [];

  note(seconds: number): void {
    this.seconds.push(seconds);
    if (this.seconds.length > remembered) this.seconds.shift();
  }

  /** Seconds after which a piece is given again. */
  get patience(): number {
    const sorted = this.seconds.toSorted((a, b) => a - b);
    const middle = sorted[Math.floor(sorted.length / 2)];
    return middle === undefined ? firstSeconds : Math.max(leastSeconds, slowFactor * middle);
  }
}

/** What names a piece within its round. */
export interface Numbered {
  readonly name: string;
  readonly index: number;
  /** How often it was given before. */
  readonly attempt: number;
}

/** Where a piece is. */
interface OpenPiece<Piece> {
  piece: Piece;
  /** Who said that it has begun with the last giving of it, and when, in seconds; null if nobody has. */
  taken: { readonly worker: string; readonly at: number } | null;
  readonly failures: { readonly worker: string; readonly message: string }[];
}

export class Round<Piece extends Numbered, Result> {
  /** What came of each piece, in their order, when all are done. */
  readonly results: Promise<readonly Result[]>;
  private readonly open = new Map<number, OpenPiece<Piece>>();
  private readonly done = new Map<
    number,
    { readonly piece: Piece; readonly result: Result; readonly worker: string }
  >();
  private settle!: { finish(results: readonly Result[]): void; fail(error: unknown): void };

  /** @param now seconds of any clock */
  constructor(
    pieces: readonly Piece[],
    private readonly times: PieceTimes,
    private readonly now: () => number = () => performance.now() / 1000,
  ) {
    this.results = new Promise((finish, fail) => {
      this.settle = { finish, fail };
    });
    // Whoever waits gets the error; nobody need wait.
    this.results.catch(() => undefined);
    for (const piece of pieces) this.open.set(piece.index, { piece, taken: null, failures: [] });
  }

  /** Pieces that are not done. */
  get left(): readonly Piece[] {
    return [...this.open.values()].map(({ piece }) => piece);
  }

  has(index: number): boolean {
    return this.open.has(index);
  }

  /** A worker has begun. */
  taken(index: number, attempt: number, worker: string): void {
    const open = this.open.get(index);
    if (open && open.piece.attempt === attempt) open.taken ??= { worker, at: this.now() };
  }

  /** Seconds since a worker began with a piece; null if it is not known to be at it. */
  secondsSince(index: number, worker: string): number | null {
    const taken = this.open.get(index)?.taken;
    return taken?.worker === worker ? this.now() - taken.at : null;
  }

  /**
   * A sound answer.
   * @param seconds since its worker began, the answer's way here included: over a slow network that is most of it
   * @returns whether it is the first one to its piece
   */
  accept(index: number, worker: string, result: Result, seconds: number): boolean {
    const open = this.open.get(index);
    if (!open) return false;
    this.open.delete(index);
    this.times.note(seconds);
    this.done.set(index, { piece: open.piece, result, worker });
    if (this.open.size === 0)
      this.settle.finish([...this.done].sort(([a], [b]) => a - b).map(([, answered]) => answered.result));
    return true;
  }

  /**
   * A worker could not do it.
   * @returns the piece as it is to be given again; null if nobody waits for it, or it has ended the round
   */
  refuse(index: number, worker: string, message: string): Piece | null {
    const open = this.open.get(index);
    if (!open) return null;
    open.failures.push({ worker, message });
    if (open.failures.length < mostFailures) return again(open);
    const workers = [...new Set(open.failures.map((failure) => failure.worker))];
    this.settle.fail(
      new ProxmoError(
        'fleet',
        `Piece ${index + 1} of ${open.piece.name} failed ${open.failures.length} times, on ${workers.join(', ')}; the last time: ${message}`,
      ),
    );
    return null;
  }

  /**
   * An answer came that does not count.
   * @returns the piece as it is to be given again; null if it is done, or was given again already
   */
  undone(index: number, attempt: number): Piece | null {
    const open = this.open.get(index);
    return open && open.piece.attempt === attempt ? again(open) : null;
  }

  /**
   * Nothing counts that a worker said.
   * @param index of what it answered last
   * @returns the pieces that are to be given again: that one, and those that it did
   */
  disown(worker: string, index: number): readonly Piece[] {
    for (const { failures } of this.open.values())
      failures.splice(0, failures.length, ...failures.filter((failure) => failure.worker !== worker));
    const undone = [...this.done.values()].filter((answered) => answered.worker === worker);
    for (const { piece } of undone) {
      this.done.delete(piece.index);
      this.open.set(piece.index, { piece, taken: null, failures: [] });
    }
    const last = this.open.get(index)?.piece;
    const all = [...undone.map(({ piece }) => piece), ...(last ? [last] : [])];
    return all.map(({ index: each }) => again(this.open.get(each)!));
  }

  /** The pieces that nobody has begun with since they were given. */
  get waiting(): readonly Piece[] {
    return [...this.open.values()].filter(({ taken }) => taken === null).map(({ piece }) => piece);
  }

  /** A piece that is open, as it is to be given again. */
  repeated(index: number): Piece {
    return again(this.open.get(index)!);
  }

  /** Whether a piece takes so long that it may be overdue. */
  get isAnyLate(): boolean {
    const least = Math.min(this.times.patience, presenceSeconds);
    return [...this.open.values()].some(({ taken }) => taken && this.now() - taken.at > least);
  }

  /**
   * The pieces that take too long, or whose worker is gone, as they are to be given again.
   * @param present workers that are there; who began within `presenceSeconds` may not have said so yet
   */
  overdue(present: ReadonlySet<string>): readonly Piece[] {
    const { patience } = this.times;
    const late = [...this.open.values()].filter(({ taken }) => {
      const seconds = taken ? this.now() - taken.at : 0;
      return taken && (seconds > patience || (seconds > presenceSeconds && !present.has(taken.worker)));
    });
    return late.map(again);
  }

  /** Ends it with an error. */
  end(error: unknown): void {
    this.settle.fail(error);
  }
}

function again<Piece extends Numbered>(open: OpenPiece<Piece>): Piece {
  open.piece = { ...open.piece, attempt: open.piece.attempt + 1 };
  open.taken = null;
  return open.piece;
}

/**
 * What an environment gives back: its answer at once, or a promise of it. Worlds in this process answer at once, and
 * then nothing here makes a promise or a timer, so that they run at full speed; only a promise gets a time limit.
 */
import { ProxmoError } from '../base/errors.ts';

export type Answer<T> = T | Promise<T>;

export function isPromise<T>(answer: Answer<T>): answer is Promise<T> {
  return typeof (answer as { readonly then?: unknown } | null | undefined)?.then === 'function';
}

/** Hands an answer on as soon as it is there: now, if it is there now. */
export function whenAnswered<T, U>(answer: Answer<T>, use: (value: T) => Answer<U>): Answer<U> {
  return isPromise(answer) ? answer.then(use) : use(answer);
}

/**
 * The answer, if it comes in time.
 * @param what who was asked for what, as the start of the error's sentence
 * @throws {ProxmoError} `environment` (by the promise) if `seconds` pass without an answer
 */
export function withinTime<T>(answer: Answer<T>, seconds: number, what: () => string): Answer<T> {
  return isPromise(answer) ? race(answer, seconds, what) : answer;
}

function race<T>(answer: Promise<T>, seconds: number, what: () => string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const late = () =>
      reject(
        new ProxmoError('environment', `${what()} gave no answer within ${seconds} s; it hangs or needs more time.`),
      );
    const timer = setTimeout(late, 1000 * seconds);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A wait under way. */
export interface Wait {
  /** Settles when the time has passed, or the wait was ended. */
  readonly over: Promise<void>;
  end(): void;
}

/** Waits that can all be ended at once. Unlike listeners of one signal, they may be as many as they like. */
export class Waits {
  readonly #ends = new Set<() => void>();
  #ended = false;

  /** They were ended, and new ones end at once. */
  get ended(): boolean {
    return this.#ended;
  }

  /** @param seconds how long it lasts; until it is ended by default */
  start(seconds?: number): Wait {
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      const timer = seconds === undefined ? undefined : setTimeout(() => end(), 1000 * seconds);
      end = () => {
        clearTimeout(timer);
        this.#ends.delete(end);
        resolve();
      };
    });
    if (this.#ended) end();
    else this.#ends.add(end);
    return { over, end };
  }

  endAll(): void {
    this.#ended = true;
    for (const end of [...this.#ends]) end();
  }
}

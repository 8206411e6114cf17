/**
 * One thing at a time: for objects whose asynchronous methods share what they work on, as buffers of a device, and are
 * called again before the call before has ended.
 */
export class Queue {
  private last: Promise<unknown> = Promise.resolve();

  /**
   * Begins work when all that was asked for earlier has ended, whether it went well or not. Work must not wait for
   * other work in its own queue.
   * @returns what the work returns; its error is for its own caller alone
   */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => undefined);
    return result;
  }
}

/**
 * The program that started this process, as `proxmo study` starts runs, over Node's channel between processes. Where
 * the channel closes, the process is to stop: whoever started it has closed it, or has ended.
 */
import type { TrainConfig } from '../rl/config.ts';
import type { TrainEvent } from '../rl/trainingRun.node.ts';

/** How far a run has come. */
export interface RunNews {
  /** Iterations that are done. */
  readonly iteration: number;
  readonly iterations: number;
  /** What it does, for people, as `rollout`. */
  readonly phase: string;
  /** Share of the phase that is done. */
  readonly done: number;
  /** Share of the last iteration's episodes that succeeded; null before the first. */
  readonly success: number | null;
}

/** In milliseconds. */
const progressEvery = 250;

/** Whether this process was started with a channel; it may be closed before anybody asks. */
export const hasParent = process.connected === true;

export class Parent {
  private toldAt = Number.NEGATIVE_INFINITY;
  private success: number | null = null;

  /** @param stop called once the channel is closed; never where there is none */
  onGone(stop: () => void): void {
    if (!hasParent) return;
    if (process.connected) {
      process.once('disconnect', stop);
      // A channel that is listened to would keep the process alive.
      process.channel?.unref();
    } else stop();
  }

  /** Tells of what happens in the run, as often as someone could read it. */
  tell(event: TrainEvent, { training: { iterations } }: TrainConfig): void {
    if (!process.connected) return;
    if (event.kind === 'iteration') {
      this.success = event.metrics.success;
      this.send({
        iteration: event.metrics.iteration + 1,
        iterations,
        phase: 'iteration',
        done: 1,
        success: this.success,
      });
      return;
    }
    if (event.kind !== 'progress' || performance.now() - this.toldAt < progressEvery) return;
    const { iteration, progress } = event;
    this.send({ iteration, iterations, phase: progress.phase, done: progress.done, success: this.success });
  }

  private send(news: RunNews): void {
    this.toldAt = performance.now();
    // A parent that ends at this moment is told of by the channel's end.
    process.send?.(news, undefined, undefined, () => {});
  }
}

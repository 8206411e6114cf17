/**
 * Writes what was played into a run's folder while training goes on. Rows are made and packed group by group, in the
 * pauses in which training waits for the device, so that an iteration takes hardly longer for them.
 */
import type { RolloutFolder } from '../runs/rollouts.ts';
import type { RolloutRecord } from './credit/recordRows.ts';

export class RolloutWriter {
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly folder: RolloutFolder) {}

  /**
   * Begins to write a record, when the one before is written: what waits to be written is one iteration at most.
   * @throws the error of the one before
   */
  async begin(record: RolloutRecord | null): Promise<void> {
    await this.end();
    if (!record) return;
    this.writing = this.folder.write(record.batch, record.groups, record.indexOf);
    // Its error is for `end`, which may come later than Node bears a rejection that nobody waits for.
    this.writing.catch(() => {});
  }

  /** Waits until all is written. @throws what went wrong, once */
  async end(): Promise<void> {
    const { writing } = this;
    this.writing = Promise.resolve();
    await writing;
  }
}

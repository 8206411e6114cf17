/** What reports on runs with folders have in common, whatever the run trains. */
import type { AdapterDescription } from '../gpu/adapterDescription.ts';
import { standardOutput } from './output.ts';
import type { ProgressLine } from './progressLine.ts';

export abstract class RunReporter {
  constructor(
    protected readonly line: ProgressLine,
    protected readonly dir: string,
    private readonly resumed: boolean,
    /** What checkpoints are counted in. */
    private readonly unit: 'iteration' | 'step',
  ) {}

  interrupted(): void {
    this.line.print('stopping after this step; press Ctrl-C again to stop at once');
  }

  /** Takes the live line away. */
  stop(): void {
    this.line.clear();
  }

  protected showAdapter(what: string, { name, profile }: AdapterDescription): void {
    this.line.print(`${what} on ${name} (${profile.kind === 'cpu' ? 'software adapter' : 'GPU'})`);
  }

  /** @param from what it goes on from; null at its beginning */
  protected showBegin(from: number | null): void {
    const { dir, unit } = this;
    const resuming =
      from === null
        ? `beginning ${dir} again: it had no checkpoint yet`
        : `resuming ${dir} from its checkpoint of ${unit} ${from}`;
    this.line.print(this.resumed ? resuming : `writing ${dir}`);
  }

  protected showEnd(summary: string): void {
    this.line.clear();
    standardOutput.print(`\n${summary}\n\nrun folder: ${this.dir}`);
  }
}

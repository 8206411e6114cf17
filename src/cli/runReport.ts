/** What reports on runs with folders have in common, whatever the run trains. */
import type { AdapterDescription } from '../gpu/adapterDescription.ts';
import type { BeginEvent } from '../rl/runSession.node.ts';
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

  protected showBegin(begin: BeginEvent): void {
    this.line.print(this.resumed ? this.describeResume(begin) : `writing ${this.dir}`);
  }

  private describeResume({ from, warmStartStep }: BeginEvent): string {
    const { dir, unit } = this;
    if (from !== null) return `resuming ${dir} from its checkpoint of ${unit} ${from}`;
    if (warmStartStep !== null) return `resuming ${dir} within its warm start, of which step ${warmStartStep} is saved`;
    return `beginning ${dir} again: it had no checkpoint yet`;
  }

  protected showEnd(summary: string): void {
    this.line.clear();
    standardOutput.print(`\n${summary}\n\nrun folder: ${this.dir}`);
  }
}

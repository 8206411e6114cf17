/** A profile in the making: the runs of programs, in phases, and the files and tables that they come to. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomicFile.node.ts';
import type { DispatchTiming, ProgramRun } from '../../gpu/profiler.ts';
import type { Ceilings } from '../../gpu/rates.ts';
import { profileFiles } from '../../view/profile/profileFile.ts';
import { kernelTotals } from '../../view/profile/totals.ts';
import type { Output } from '../output.ts';
import { rooflineSvg } from './roofline.ts';
import { describeProfile, ProfileSummary } from './summary.ts';
import { Trace } from './trace.ts';

export interface ProfileOptions {
  readonly adapter: string;
  readonly timing: DispatchTiming;
  readonly ceilings: Ceilings;
  /** What is profiled, as `a training run`. */
  readonly title: string;
  /** Of the first runs. */
  readonly phase: string;
}

export class ProfileRecord {
  private readonly summary: ProfileSummary;
  private readonly trace = new Trace();
  /** Milliseconds of the last that is known. */
  private last = 0;
  private ended: number | null = null;

  constructor(private readonly options: ProfileOptions) {
    this.summary = new ProfileSummary(options.phase);
  }

  /** Whether nothing ran. */
  get isEmpty(): boolean {
    return this.summary.isEmpty;
  }

  add(run: ProgramRun): void {
    this.last = Math.max(this.last, run.start + run.overheadMs);
    this.summary.add(run);
    this.trace.add(run);
  }

  /** @param elapsed milliseconds of the profile */
  enter(phase: string, elapsed: number): void {
    const ended = this.summary.enter(phase, elapsed);
    if (ended) this.trace.addPhase(ended);
  }

  /** The first end counts. @param elapsed milliseconds of the profile */
  end(elapsed: number): void {
    this.ended ??= elapsed;
  }

  /** Prints the tables and writes the files. */
  async write(dir: string, output: Output): Promise<void> {
    const { options, summary, trace } = this;
    const { adapter, timing, ceilings, title } = options;
    if (this.isEmpty) {
      output.print('\nNothing ran on the device, so there is no profile.');
      return;
    }
    const elapsed = this.ended ?? this.last;
    const report = summary.report({ timing, ceilings, elapsed });
    trace.addPhase(summary.phaseUntil(elapsed));
    const file = { adapter, traceIsCut: trace.isCut, ...report };
    output.print(`\n${describeProfile(report)}`);
    await mkdir(dir, { recursive: true });
    const picture = rooflineSvg(kernelTotals(report.cells), ceilings, `Kernels of ${title} on ${adapter}`);
    await writeFileAtomic(join(dir, profileFiles.trace), [trace.toString()]);
    await writeFileAtomic(join(dir, profileFiles.roofline), [picture]);
    await writeFileAtomic(join(dir, profileFiles.figures), [`${JSON.stringify(file, null, 2)}\n`]);
    const note = trace.isCut ? ' (the trace ends early: there were too many dispatches)' : '';
    output.print(`\ntrace, roofline and all figures: ${dir}${note}`);
  }
}

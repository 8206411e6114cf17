/**
 * `proxmo profile`: where a training run spends its time. Runs `proxmo train` with every dispatch timed; prints tables,
 * leaves all figures, a trace and a roofline picture in the run's folder.
 */
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { ceilingsOf, measureCeilings } from '../gpu/ceilings.ts';
import type { GpuContext } from '../gpu/context.ts';
import { Profiler } from '../gpu/profiler.ts';
import type { Ceilings } from '../gpu/rates.ts';
import type { TrainEvent } from '../rl/trainingRun.node.ts';
import { profileFiles } from '../view/profile/profileFile.ts';
import { kernelTotals } from '../view/profile/totals.ts';
import { type Output, standardError, standardOutput } from './output.ts';
import { rooflineSvg } from './profile/roofline.ts';
import { describeProfile, ProfileSummary } from './profile/summary.ts';
import { Trace } from './profile/trace.ts';
import { trainCommand } from './train.ts';

interface ProfileOptions {
  readonly out?: string;
  readonly serialised?: boolean;
}

export function profileCommand(version: string, program: string): Command {
  const { folder, trace, roofline, figures } = profileFiles;
  return new Command('profile')
    .description('Time every kernel of a training run: proxmo profile -- --set training.iterations=1')
    .argument('[options...]', 'options of proxmo train, after --')
    .option(
      '--out <dir>',
      `folder for ${figures}, ${trace} (ui.perfetto.dev opens it) and ${roofline} (default: ${folder} in the run's, where proxmo view finds it)`,
    )
    .option('--serialised', 'run dispatches one by one and time them on the host, as on adapters without timestamps')
    .action(async (trainArguments: string[], { out, serialised = false }: ProfileOptions) => {
      const profiles: Profile[] = [];
      const train = trainCommand(version, program, {
        onDevice: async (gpu, dir) => {
          profiles.push(await Profile.start(gpu, dir, serialised));
        },
        onEvent: (event) => profiles.at(-1)?.note(event),
      });
      let failure: unknown;
      try {
        await train.exitOverride().parseAsync(trainArguments, { from: 'user' });
      } catch (error) {
        // A run that was stopped has a profile up to there.
        if (!(error instanceof ProxmoError && error.code === 'interrupted')) throw error;
        failure = error;
      }
      // Where the run prints JSON, nothing stands beside it.
      const output = trainArguments.includes('--json') ? standardError : standardOutput;
      for (const profile of profiles) await profile.write(folderOf(profile.run, out, profiles.length > 1), output);
      if (failure) throw failure;
    });
}

/** Where a run's profile goes; profiles of several runs do not go into one folder. */
function folderOf(run: string, out: string | undefined, isOneOfSeveral: boolean): string {
  if (out === undefined) return join(run, profileFiles.folder);
  return isOneOfSeveral ? join(out, basename(run)) : out;
}

/** What a run does, as far as its events tell; null where they tell nothing of it. */
function phaseOf(event: TrainEvent): string | null {
  switch (event.kind) {
    case 'progress':
      return event.progress.phase;
    case 'warm start':
    case 'iteration':
    case 'evaluation':
      return 'files';
    default:
      return null;
  }
}

class Profile {
  private phase = { name: 'preparation', since: 0 };
  private readonly summary = new ProfileSummary(this.phase.name);
  private readonly trace = new Trace();
  private readonly profiler: Profiler;
  private ended: number | null = null;

  private constructor(
    gpu: GpuContext,
    readonly run: string,
    private readonly adapter: string,
    private readonly ceilings: Ceilings,
    serialised: boolean,
  ) {
    this.profiler = new Profiler(
      gpu,
      (run) => {
        this.summary.add(run);
        this.trace.add(run);
      },
      serialised ? 'serialised' : undefined,
    );
    gpu.device.lost.then(() => {
      this.ended = this.profiler.elapsed;
    });
    gpu.runner = this.profiler;
  }

  /** Measures the ceilings, then times all that the device runs. */
  static async start(gpu: GpuContext, run: string, serialised: boolean): Promise<Profile> {
    const ceilings = ceilingsOf(await measureCeilings(gpu));
    return new Profile(gpu, run, gpu.adapter.name, ceilings, serialised);
  }

  note(event: TrainEvent): void {
    const phase = phaseOf(event);
    if (phase !== null && phase !== this.phase.name) this.enter(phase, this.profiler.elapsed);
  }

  private enter(phase: string, elapsed: number): void {
    this.trace.addPhase(this.phase.name, this.phase.since, elapsed - this.phase.since);
    this.summary.enter(phase, elapsed);
    this.phase = { name: phase, since: elapsed };
  }

  /** Prints the tables and writes the files. */
  async write(dir: string, output: Output): Promise<void> {
    const { adapter, ceilings, profiler, summary, trace } = this;
    const elapsed = this.ended ?? profiler.elapsed;
    const report = summary.report({ timing: profiler.timing, ceilings, elapsed });
    if (report.programRuns === 0) {
      output.print('\nNothing ran on the device, so there is no profile.');
      return;
    }
    trace.addPhase(this.phase.name, this.phase.since, elapsed - this.phase.since);
    const file = { adapter, traceIsCut: trace.isCut, ...report };
    output.print(`\n${describeProfile(report)}`);
    await mkdir(dir, { recursive: true });
    const picture = rooflineSvg(kernelTotals(report.cells), ceilings, `Kernels of a training run on ${adapter}`);
    await writeFileAtomic(join(dir, profileFiles.trace), [trace.toString()]);
    await writeFileAtomic(join(dir, profileFiles.roofline), [picture]);
    await writeFileAtomic(join(dir, profileFiles.figures), [`${JSON.stringify(file, null, 2)}\n`]);
    const note = trace.isCut ? ' (the trace ends early: there were too many dispatches)' : '';
    output.print(`\ntrace, roofline and all figures: ${dir}${note}`);
  }
}

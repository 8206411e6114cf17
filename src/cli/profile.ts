/**
 * `proxmo profile`: where a training run, or any program that uses the library, spends its time on the device. Every
 * dispatch is timed; tables are printed, all figures, a trace and a roofline picture are left in a folder.
 */
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { ceilingsOf, measureCeilings } from '../gpu/ceilings.ts';
import type { GpuContext } from '../gpu/context.ts';
import { Profiler } from '../gpu/profiler.ts';
import type { Ceilings } from '../gpu/rates.ts';
import type { TrainEvent } from '../rl/trainingRun.node.ts';
import { profileFiles } from '../view/profile/profileFile.ts';
import { type Output, standardError, standardOutput } from './output.ts';
import { ProfileRecord } from './profile/record.ts';
import { isProgram, profileProgram } from './profile/recorded.ts';
import { trainCommand } from './train.ts';

interface ProfileOptions {
  readonly out?: string;
  readonly serialised?: boolean;
}

export function profileCommand(version: string, program: string): Command {
  const { folder, trace, roofline, figures } = profileFiles;
  return new Command('profile')
    .description(
      'Time every kernel of a training run: proxmo profile -- --set training.iterations=1; or of any program that uses the library: proxmo profile -- node script.mjs',
    )
    .argument('[words...]', 'options of proxmo train, or a program with its arguments, after --')
    .option(
      '--out <dir>',
      `folder for ${figures}, ${trace} (ui.perfetto.dev opens it) and ${roofline} (default: ${folder} in the run's, where proxmo view finds it; of a program, ./${folder})`,
    )
    .option('--serialised', 'run dispatches one by one and time them on the host, as on adapters without timestamps')
    .action(async (trainArguments: string[], { out, serialised = false }: ProfileOptions) => {
      if (isProgram(trainArguments)) {
        if (serialised)
          throw new ProxmoError('usage', '--serialised is of training runs; a program is timed as its adapter can.');
        return profileProgram(trainArguments, out ?? folder, standardOutput);
      }
      const profiles: TrainingProfile[] = [];
      const train = trainCommand(version, program, {
        onDevice: async (gpu, dir) => {
          profiles.push(await TrainingProfile.start(gpu, dir, serialised));
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

/** The profile of a training run, whose device it times. */
class TrainingProfile {
  private readonly record: ProfileRecord;
  private readonly profiler: Profiler;

  private constructor(
    gpu: GpuContext,
    readonly run: string,
    ceilings: Ceilings,
    serialised: boolean,
  ) {
    this.profiler = new Profiler(gpu, (run) => this.record.add(run), serialised ? 'serialised' : undefined);
    const { timing } = this.profiler;
    this.record = new ProfileRecord({
      adapter: gpu.adapter.name,
      timing,
      ceilings,
      title: 'a training run',
      phase: 'preparation',
    });
    gpu.device.lost.then(() => this.record.end(this.profiler.elapsed));
    gpu.runner = this.profiler;
  }

  /** Measures the ceilings, then times all that the device runs. */
  static async start(gpu: GpuContext, run: string, serialised: boolean): Promise<TrainingProfile> {
    return new TrainingProfile(gpu, run, ceilingsOf(await measureCeilings(gpu)), serialised);
  }

  note(event: TrainEvent): void {
    const phase = phaseOf(event);
    if (phase !== null) this.record.enter(phase, this.profiler.elapsed);
  }

  /** Prints the tables and writes the files. */
  async write(dir: string, output: Output): Promise<void> {
    this.record.end(this.profiler.elapsed);
    await this.record.write(dir, output);
  }
}

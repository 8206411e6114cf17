/**
 * `proxmo profile`: where a training run spends its time. Runs `proxmo train` with every dispatch timed; prints tables,
 * leaves a trace and a roofline picture.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { measureCeilings } from '../gpu/ceilings.ts';
import type { GpuContext } from '../gpu/context.ts';
import { Profiler } from '../gpu/profiler.ts';
import type { Ceilings } from './bench/rows.ts';
import { standardOutput } from './output.ts';
import { rooflineSvg } from './profile/roofline.ts';
import { ProfileSummary } from './profile/summary.ts';
import { Trace } from './profile/trace.ts';
import { trainCommand } from './train.ts';

interface ProfileOptions {
  readonly out: string;
  readonly serialised?: boolean;
}

export function profileCommand(version: string): Command {
  return new Command('profile')
    .description('Time every kernel of a training run: proxmo profile -- --set training.iterations=1')
    .argument('[options...]', 'options of proxmo train, after --')
    .option('--out <dir>', 'folder for trace.json (ui.perfetto.dev opens it), roofline.svg and profile.json', 'profile')
    .option('--serialised', 'run dispatches one by one and time them on the host, as on adapters without timestamps')
    .action(async (trainArguments: string[], { out, serialised = false }: ProfileOptions) => {
      let profile: Profile | null = null;
      const train = trainCommand(version, async (gpu) => {
        profile = await Profile.start(gpu, serialised);
      });
      let failure: unknown;
      try {
        await train.exitOverride().parseAsync(trainArguments, { from: 'user' });
      } catch (error) {
        // A run that was stopped has a profile up to there.
        if (!(error instanceof ProxmoError && error.code === 'interrupted')) throw error;
        failure = error;
      }
      await (profile as Profile | null)?.write(out);
      if (failure) throw failure;
    });
}

class Profile {
  private constructor(
    private readonly adapter: string,
    private readonly ceilings: Ceilings,
    private readonly profiler: Profiler,
    private readonly summary: ProfileSummary,
    private readonly trace: Trace,
  ) {}

  /** Measures the ceilings, then times all that the device runs. */
  static async start(gpu: GpuContext, serialised: boolean): Promise<Profile> {
    const { matmul, copy } = await measureCeilings(gpu);
    const [summary, trace] = [new ProfileSummary(), new Trace()];
    const profiler = new Profiler(
      gpu,
      (run) => {
        summary.add(run);
        trace.add(run);
      },
      serialised ? 'serialised' : undefined,
    );
    gpu.runner = profiler;
    return new Profile(gpu.adapter.name, { gflops: matmul.gflops ?? 0, gbps: copy.gbps }, profiler, summary, trace);
  }

  /** Prints the tables and writes the files. */
  async write(dir: string): Promise<void> {
    const { adapter, ceilings, profiler, summary, trace } = this;
    const { elapsed, timing } = profiler;
    standardOutput.print(`\n${summary.describe(elapsed, timing, ceilings)}`);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'trace.json'), trace.toString());
    await writeFile(
      join(dir, 'roofline.svg'),
      rooflineSvg(summary.byKernel, ceilings, `Kernels of a training run on ${adapter}`),
    );
    await writeFile(
      join(dir, 'profile.json'),
      `${JSON.stringify({ adapter, ...summary.report(elapsed, timing, ceilings) }, null, 2)}\n`,
    );
    const note = trace.isCut ? ' (the trace ends early: there were too many dispatches)' : '';
    standardOutput.print(`\ntrace, roofline and all figures: ${dir}${note}`);
  }
}

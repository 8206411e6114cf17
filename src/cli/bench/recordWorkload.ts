/**
 * What a run writes down of what was played: rows of an iteration of 128 household episodes, with all that their
 * advantages consist of, made, packed and written to disk. The phases are those of the iteration itself.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTaskSet } from '../../envs/index.ts';
import { type TrainConfig, trainConfigSchema } from '../../rl/config.ts';
import { recordSchemas } from '../../rl/credit/record.ts';
import { recordRollout } from '../../rl/credit/recordRows.ts';
import { tokenizerFor } from '../../rl/policy.ts';
import { wordPolicySource } from '../../rl/policySource.ts';
import { presets } from '../../rl/presets.ts';
import { Trainer } from '../../rl/trainer.ts';
import { RolloutFolder } from '../../runs/rollouts.ts';
import type { Engine } from '../../tensor/engine.ts';
import type { OpenWorkload, Workload } from './workload.ts';

const config: TrainConfig = trainConfigSchema.parse({ ...presets.small, warmStart: { tasks: 0 } });
/** Iterations that are played, of which the last is written: the first one compiles kernels. */
const played = 2;

export const recordWorkload: Workload = {
  name: 'record/household',
  shape: `episodes=${config.training.tasks * config.training.groupSize}`,
  variant: 'rows of an iteration',
  flops: 0,
  bytes: 0,
  open,
};

async function open(engine: Engine): Promise<OpenWorkload> {
  const taskSet = await createTaskSet(config.environment.name, config.environment.options);
  const trainer = new Trainer(engine, config, taskSet, wordPolicySource(config, tokenizerFor(taskSet)));
  let result = await trainer.iterate(0);
  for (let iteration = 1; iteration < played; iteration++) result = await trainer.iterate(iteration);
  const dir = await mkdtemp(join(tmpdir(), 'proxmo-bench-'));
  const folder = new RolloutFolder(dir);
  const run = async (round: number) => {
    const record = recordRollout(round + 1, result, trainer.policy)!;
    await folder.write(record.batch, record.groups, record.indexOf);
  };
  return {
    run,
    isCorrect: async () => {
      await run(0);
      const batch = { split: 'training', iteration: 1 } as const;
      const { value: rows } = await folder.readRows(batch, null, recordSchemas.training.row);
      const steps = result.episodes.flatMap((episode) => episode.steps);
      const worth = new Map(
        steps.map((step, row) => [`${step.trajectory} ${step.step}`, result.advantages.advantage[row]]),
      );
      return (
        rows.length === steps.length &&
        rows.every((row) => worth.get(`${row.trajectory} ${row.step}`) === row.advantage)
      );
    },
    figures: async () => ({ tokens: result.metrics.tokens, phases: { ...result.metrics.seconds } }),
    destroy: () => {
      void trainer.destroy();
      void rm(dir, { recursive: true, force: true });
    },
  };
}

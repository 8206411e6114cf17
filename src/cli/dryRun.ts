/** `proxmo train --dry-run`: what a run would be, and what of it cannot work, without writing anything. */
import { stringify } from 'yaml';
import { ProxmoError } from '../base/errors.ts';
import { createNamedTaskSet } from '../envs/registry.node.ts';
import { openDevice } from '../gpu/device.node.ts';
import type { TrainConfig } from '../rl/config.ts';
import { checkSettingsOnTasks, type ShownEpisode, showEpisode } from '../rl/dryRun.node.ts';
import { formatMemoryPlan, type MemoryPlan, memoryProblem } from '../rl/memoryPlan.ts';
import { loadOwnModules } from '../rl/own/modules.node.ts';
import { planRun } from '../rl/planRun.node.ts';
import { newPolicySource } from '../rl/policySource.node.ts';
import { estimateTime, smallTrainer, type TimeEstimate } from '../rl/timeEstimate.node.ts';
import type { Trainer } from '../rl/trainer.ts';
import { Engine } from '../tensor/engine.ts';
import { standardOutput } from './output.ts';
import { ProgressLine } from './progressLine.ts';
import { duration } from './table.ts';

/** A small part of a run that takes longer is given up. */
const patienceSeconds = 120;

interface Outcome {
  readonly adapter: string;
  readonly config: TrainConfig;
  readonly memory: MemoryPlan;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
  /** Null where what is wrong stands in the way. */
  readonly episode: ShownEpisode | null;
  /** In seconds; null where it was not measured, for the reason that the notes say. */
  readonly time: TimeEstimate | null;
}

/** @throws {ProxmoError} `config` after all was printed, if something of the settings cannot work */
export async function dryRun(config: TrainConfig, options: { adapter?: string; json?: boolean }): Promise<void> {
  const line = new ProgressLine();
  const doing = (what: string) => line.isLive && line.show(what, `dry run: ${what}`);
  const outcome = await examine(config, options.adapter, doing).finally(() => line.clear());
  const { memory, ...rest } = outcome;
  const { shared: _, remedies: __, ...figures } = memory;
  if (options.json) standardOutput.json({ ...rest, memory: figures });
  else standardOutput.print(describe(outcome));
  const { length } = outcome.problems;
  if (length > 0)
    throw new ProxmoError(
      'config',
      `The run cannot work: ${length === 1 ? outcome.problems[0] : `${length} problems, as listed.`}`,
    );
}

async function examine(
  config: TrainConfig,
  adapter: string | undefined,
  doing: (what: string) => unknown,
): Promise<Outcome> {
  const { name, options } = config.environment;
  await loadOwnModules(config);
  const taskSet = await createNamedTaskSet(name, options);
  try {
    const gpu = await openDevice(adapter);
    try {
      const engine = new Engine(gpu);
      const memory = await planRun(engine, config, taskSet);
      const tooMuch = memoryProblem(memory);
      doing('loading the policy');
      const { source } = await newPolicySource(engine, config, taskSet);
      const signal = AbortSignal.timeout(1000 * patienceSeconds);
      const trainer = smallTrainer(engine, config, source, taskSet, signal);
      const { player } = trainer.policy;
      doing('checking the settings against the tasks');
      const checked = await checkSettingsOnTasks(config, taskSet, player);
      const problems = [...checked.problems, ...(tooMuch === null ? [] : [tooMuch])];
      const notes = [...checked.notes];
      const common = { adapter: gpu.adapter.name, config, memory, problems, notes };
      if (problems.length > 0) return { ...common, episode: await episodeIfAny(trainer), time: null };
      const episode = await showEpisode(player, taskSet, trainer.tasks.training[0]!, config);
      const longest = Math.max(0, ...episode.turns.map(({ replyTokens }) => replyTokens));
      if (longest > config.sampling.maxNewTokens)
        notes.push(
          `An action of this episode takes ${longest} tokens, but a reply may have ${config.sampling.maxNewTokens}; raise sampling.maxNewTokens.`,
        );
      doing('measuring a small part of the run');
      const time = await estimateTime(trainer, engine, config, source, signal).catch((error: unknown) => {
        if (!(error instanceof ProxmoError) || error.code !== 'interrupted') throw error;
        notes.push(`Time was not estimated: a small part of the run takes more than ${patienceSeconds} s here.`);
        return null;
      });
      return { ...common, episode, time };
    } finally {
      gpu.destroy();
    }
  } finally {
    await taskSet.close?.();
  }
}

/** An episode where something is wrong elsewhere; null where that stands in its way. */
async function episodeIfAny({ policy, taskSet, tasks, config }: Trainer): Promise<ShownEpisode | null> {
  try {
    return await showEpisode(policy.player, taskSet, tasks.training[0]!, config);
  } catch (error) {
    if (error instanceof ProxmoError) return null;
    throw error;
  }
}

function describe({ adapter, config, memory, problems, notes, episode, time }: Outcome): string {
  const parts = [
    ['configuration', stringify(config).trimEnd()],
    ...(episode === null ? [] : describeEpisode(episode)),
    ['memory', formatMemoryPlan(memory)],
    ...(time === null ? [] : [[`time on ${adapter}, estimated from a small part`, describeTime(time, config)]]),
    ...(notes.length === 0 ? [] : [['notes', notes.join('\n')]]),
    ['cannot work', problems.length === 0 ? 'nothing that was found' : problems.join('\n')],
    ['written', 'nothing'],
  ];
  return parts.map(([title, text]) => `== ${title}\n${text}`).join('\n\n');
}

function describeEpisode({ task, by, turns, success }: ShownEpisode): string[][] {
  const who = by === 'expert' ? 'the expert' : 'random actions';
  const lines = turns.map(
    ({ read, readTokens, truncated, action, replyTokens, reward }, index) =>
      `${index + 1}. ${index === 0 ? '' : `reads ${readTokens} tokens${truncated ? ' (cut)' : ''}: ${read}\n   `}> ${action}  (${replyTokens} tokens, reward ${reward})`,
  );
  const [first] = turns;
  return [
    [`first prompt, ${first?.readTokens ?? 0} tokens${first?.truncated ? ' (cut)' : ''}`, first?.read ?? ''],
    [
      `an episode of ${who}: ${task}`,
      `${lines.join('\n')}\n${success ? 'done' : 'not done'} after ${turns.length} steps`,
    ],
  ];
}

function describeTime({ warmStart, iteration, evaluation, total }: TimeEstimate, config: TrainConfig): string {
  return [
    `warm start    ${duration(warmStart)}`,
    `an iteration  ${duration(iteration)}, of which there are ${config.training.iterations}`,
    `evaluation    ${duration(evaluation)}`,
    `the run       about ${duration(total)}`,
  ].join('\n');
}

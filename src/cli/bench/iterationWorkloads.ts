/**
 * An iteration of training with windows and with transcripts (`prompt.memory`): rollout, advantages and update of 128
 * episodes. In every turn the policy is bound to one action, the expert's or one drawn from those on offer, so that
 * both play the same episodes, with the same tokens in their replies, whatever the policy has learned.
 */
import type { Environment, Expert, Task, TaskSet, Turn } from '../../envs/environment.ts';
import { createNamedTaskSet } from '../../envs/registry.node.ts';
import { ActionConstraints } from '../../rl/actionConstraint.ts';
import { type TrainConfig, trainConfigSchema } from '../../rl/config.ts';
import { type MemoryForm, memoryForms } from '../../rl/episodeMemory.ts';
import { tokenizerFor } from '../../rl/policy.ts';
import { wordPolicySource } from '../../rl/policySource.ts';
import { type IterationResult, Trainer } from '../../rl/trainer.ts';
import type { Engine } from '../../tensor/engine.ts';
import { Random } from '../../tensor/random.ts';
import type { OpenWorkload, Workload } from './workload.ts';

const environments = [
  { name: 'household', options: { receptacles: 25, objects: 30, maxSteps: 50, rooms: 100 } },
  { name: 'alfworld', options: {} },
] as const;
/** Share of the turns in which an action is drawn: some episodes succeed, most run to their end. */
const drawnShare = 0.6;
/** Largest difference of a log-probability between sampler and trainer. */
const mostMismatch = 1e-3;

export const iterationWorkloads: readonly Workload[] = environments.flatMap((environment) =>
  memoryForms.map((form) => ({
    name: `iteration/${environment.name}-${form}`,
    shape: 'episodes=128 dModel=128 layers=4',
    variant: form,
    flops: 0,
    bytes: 0,
    isLarge: ({ kind }) => kind === 'cpu',
    open: (engine) => open(engine, configOf(environment, form)),
  })),
);

function configOf(environment: (typeof environments)[number], form: MemoryForm): TrainConfig {
  return trainConfigSchema.parse({
    environment,
    prompt: { memory: form, options: form === 'window', history: 2, maxTokens: form === 'window' ? 768 : 2048 },
    policy: { dModel: 128, layers: 4, heads: 4, kvHeads: 4, headDim: 32, dFf: 256 },
    sampling: { constrained: true, maxNewTokens: 16, blockSize: 8 },
    warmStart: { tasks: 0 },
    training: { pool: 16, tasks: 16, groupSize: 8, miniBatches: 4 },
    evaluation: { tasks: 4 },
  });
}

async function open(engine: Engine, config: TrainConfig): Promise<OpenWorkload> {
  const taskSet = await createNamedTaskSet(config.environment.name, config.environment.options);
  const tokenizer = tokenizerFor(taskSet);
  const script: Script = new WeakMap();
  const trainer = new Trainer(engine, config, scripted(taskSet, script), wordPolicySource(config, tokenizer));
  const constraints = new ActionConstraints(tokenizer, 'plain');
  Object.assign(trainer.policy.player, {
    constrain: (offered: readonly string[] | null) => constraints.of(offered && [script.get(offered)!]),
  });
  let last: IterationResult | null = null;
  const run = async (round: number) => {
    last = await trainer.iterate(round);
  };
  return {
    run,
    isCorrect: async () => {
      await run(0);
      const { metrics, episodes } = last!;
      const isWhole = episodes.every(({ steps, success }) => success || steps.length === taskSet.maxSteps);
      return isWhole && metrics.validShare === 1 && metrics.samplerMismatch < mostMismatch;
    },
    figures: async () => ({ tokens: last!.metrics.tokens, phases: { ...last!.metrics.seconds } }),
    destroy: () => void taskSet.close?.(),
  };
}

/** For each list of actions on offer, the one that is to be taken. */
type Script = WeakMap<readonly string[], string>;

/** The same tasks, in worlds that note in the script what is to be done in each turn. */
function scripted(taskSet: TaskSet, script: Script): TaskSet {
  let opened = 0;
  return {
    name: taskSet.name,
    types: taskSet.types,
    maxSteps: taskSet.maxSteps,
    tasks: (split, count, seed) => taskSet.tasks(split, count, seed),
    createEnvironment: () =>
      new ScriptedWorld(taskSet.createEnvironment(), taskSet.createExpert!(), new Random(opened++, 'script'), script),
  };
}

class ScriptedWorld implements Environment {
  constructor(
    private readonly world: Environment,
    private readonly expert: Expert,
    private readonly random: Random,
    private readonly script: Script,
  ) {}

  async reset(task: Task) {
    const turn = await this.world.reset(task);
    this.expert.reset(turn.instruction);
    return this.noted(turn);
  }

  async step(action: string) {
    return this.noted(await this.world.step(action));
  }

  close() {
    return this.world.close?.();
  }

  private noted<T extends Turn>(turn: T): T {
    const actions = [...(turn.admissibleActions ?? [])];
    if (turn.done) return turn;
    const wanted = this.expert.act(turn);
    const isDrawn = this.random.uniform() < drawnShare || !actions.includes(wanted);
    this.script.set(actions, isDrawn ? actions[this.random.below(actions.length)]! : wanted);
    return { ...turn, admissibleActions: actions };
  }
}

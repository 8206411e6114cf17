/** What a worker plays with: the environment, the tasks and the policy of a run, made from the run's description. */
import { ProxmoError } from '../base/errors.ts';
import { checked } from '../base/schemaProblems.ts';
import type { Task, TaskSet } from '../envs/environment.ts';
import { type Fault, FaultLog } from '../envs/faults.ts';
import { type TrainConfig, trainConfigSchema } from '../rl/config.ts';
import type { Optimiser } from '../rl/optimise.ts';
import { Policy } from '../rl/policy.ts';
import { type PolicySource, wordPolicySource } from '../rl/policySource.ts';
import { policyOptimiser } from '../rl/policyUpdate.ts';
import { type EpisodeBatch, playBatch } from '../rl/rollout.ts';
import { RunTasks } from '../rl/runTasks.ts';
import type { Engine } from '../tensor/engine.ts';
import { WordTokenizer } from '../text/wordTokenizer.ts';
import { microBatchOf, toldGradient } from './gradients.ts';
import type { BaseModel, EpisodesWork, GradientWork, RunDescription, SoundResult, Work } from './protocol.ts';
import { told } from './recorded.ts';
import type { Weights } from './server.ts';
import { taskHashes } from './taskHashes.ts';
import { writeWeightBytes } from './weights.ts';

/** Makes the task set of an environment that a run names. It starts nothing and opens nothing that the run names. */
export type OpenTaskSet = (environment: TrainConfig['environment']) => Promise<TaskSet>;

/** Loads a pretrained model that this worker has. It opens no path that the run names. */
export type OpenModel = (engine: Engine, base: BaseModel, config: TrainConfig) => Promise<PolicySource>;

/** What came of a piece. */
interface Done {
  readonly result: SoundResult;
  readonly episodes: number;
  readonly tokens: number;
}

export class Stage {
  private optimiser: Optimiser | null = null;
  private readonly byId: ReadonlyMap<string, Task>;
  /** Hash of the weights that the policy has. */
  private hash = '';
  /** Those that it had last, where others come as what changed in them. */
  private last: Weights | null = null;

  private constructor(
    private readonly engine: Engine,
    private readonly policy: Policy,
    private readonly taskSet: TaskSet,
    tasks: RunTasks,
  ) {
    this.byId = new Map([...tasks.training, ...tasks.heldOut].map((task) => [task.id, task]));
  }

  /**
   * @param run its name, for messages
   * @throws {ProxmoError} `config` if the environment cannot be had here, or the settings are not valid; `fleet` if its
   * tasks or its pretrained model are others
   */
  static async open(
    engine: Engine,
    run: string,
    { config: given, policy, tasks: hashes }: RunDescription,
    openTaskSet: OpenTaskSet,
    openModel: OpenModel | undefined,
  ): Promise<Stage> {
    const config = checked(
      trainConfigSchema,
      given,
      (problem) => new ProxmoError('config', `The settings of the run ${run} are not valid here: ${problem}.`),
    );
    const taskSet = await openTaskSet(config.environment);
    const part = engine.part();
    try {
      const tasks = new RunTasks(taskSet, config);
      const own = await taskHashes(tasks);
      if (own.training !== hashes.training || own.heldOut !== hashes.heldOut)
        throw new ProxmoError(
          'fleet',
          `The environment ${taskSet.name} gives other tasks here than at the coordinator of ${run}; give both the same data.`,
        );
      const source =
        policy.kind === 'words'
          ? wordPolicySource(config, WordTokenizer.parse(policy.tokenizer))
          : await baseOf(part, policy, config, openModel);
      return new Stage(part, new Policy(part, config, source, taskSet), taskSet, tasks);
    } catch (error) {
      part.destroy();
      await taskSet.close?.();
      throw error;
    }
  }

  /**
   * Plays with these weights from here on.
   * @param get the bytes of them, given those that are here already; null if they cannot be had
   * @returns whether they could be had
   */
  async take(
    hash: string,
    get: (hash: string, before: Weights | null) => Promise<Uint8Array<ArrayBuffer> | null>,
  ): Promise<boolean> {
    if (hash === this.hash) return true;
    const bytes = await get(hash, this.last);
    if (!bytes) return false;
    // Until all of them are written, they are neither the old ones nor the new ones.
    this.hash = '';
    await writeWeightBytes(this.engine, this.policy.model, bytes);
    this.hash = hash;
    if (this.policy.config.fleet.differences) this.last = { bytes, hash };
    return true;
  }

  /**
   * Does a piece.
   * @param onStep called as it goes on
   * @throws {ProxmoError} `fleet` if a task is not the run's; `data` if it does not hold together; `interrupted`,
   * `environment` and `non-finite` as `playBatch`
   */
  async do(work: Work, onStep: () => void, signal: AbortSignal): Promise<Done> {
    return work.kind === 'episodes' ? this.play(work, onStep, signal) : this.gradient(work);
  }

  private async play({ tasks: ids, firstEpisode, controls }: EpisodesWork, onTurn: () => void, signal: AbortSignal) {
    const tasks = ids.map((id) => {
      const task = this.byId.get(id);
      if (!task) throw new ProxmoError('fleet', `There is no task ${id} in the run.`);
      return task;
    });
    const batch: EpisodeBatch = { tasks, firstEpisode };
    const faults: Fault[] = [];
    const log = new FaultLog(
      // The coordinator counts the faults of the run.
      { ...this.policy.config.environment, onFailure: 'drop', maxFaults: Number.MAX_SAFE_INTEGER },
      (fault, outcome) => {
        if (outcome !== 'it counts') faults.push(fault);
      },
    );
    const how = { controls, firstEpisode, faults: log, onTurn, signal };
    const result = await playBatch(this.policy.player, this.taskSet, batch, how);
    const tokens = result.episodes
      .flatMap(({ steps }) => steps)
      .reduce((sum, { prompt, reply }) => sum + prompt.length + reply.length, 0);
    return { result: told(batch, result, faults), episodes: tasks.length, tokens };
  }

  private async gradient(work: GradientWork): Promise<Done> {
    this.optimiser ??= policyOptimiser(this.engine, this.policy, this.policy.config);
    const batch = microBatchOf(work);
    const tokens = batch.sequences.reduce((sum, sequence) => sum + sequence.tokens.length, 0);
    return { result: toldGradient(await this.optimiser.gradientOf(batch)), episodes: 0, tokens };
  }

  async close(): Promise<void> {
    this.engine.destroy();
    await this.taskSet.close?.();
  }
}

/** @throws {ProxmoError} `config` if this worker has no pretrained models, or not that one */
function baseOf(
  engine: Engine,
  base: BaseModel,
  config: TrainConfig,
  openModel: OpenModel | undefined,
): Promise<PolicySource> {
  if (openModel) return openModel(engine, base, config);
  throw new ProxmoError(
    'config',
    `The run trains the pretrained model ${base.name}, which this worker cannot have; join it by proxmo worker --model.`,
  );
}

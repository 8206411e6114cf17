/**
 * What the policy is shown besides what it plays itself: demonstrations, its own successes, and what the expert makes
 * of its failures.
 */
import { ProxmoError } from '../base/errors.ts';
import type { TaskSet } from '../envs/environment.ts';
import type { FaultLog } from '../envs/faults.ts';
import type { TokenSequence } from '../nn/replies.ts';
import type { Scribe } from './acting.ts';
import type { TrainConfig } from './config.ts';
import { demonstrate, demonstrateEach } from './demonstrations.ts';
import { drawFailures, rehearses } from './rehearsal.ts';
import type { Episode } from './rollout.ts';
import type { RunTasks } from './runTasks.ts';
import { Successes } from './successes.ts';

export class Lessons {
  /** What the policy has done well so far, where updates rehearse it; null where they do not. */
  readonly successes: Successes | null;
  /** Kept where updates rehearse them. */
  private demonstrated: readonly TokenSequence[] | undefined;

  constructor(
    private readonly scribe: Scribe,
    private readonly taskSet: TaskSet,
    private readonly tasks: RunTasks,
    private readonly faults: FaultLog,
    private readonly config: TrainConfig,
  ) {
    this.successes = config.training.rehearseSuccesses ? new Successes(() => tasks.training) : null;
  }

  /**
   * The teacher's episodes: of the same settings always the same.
   * @throws {ProxmoError} `config` if there is nothing to learn from, or the policy could never write what it is shown
   */
  async demonstrations(): Promise<readonly TokenSequence[]> {
    if (this.demonstrated) return this.demonstrated;
    const { warmStart, seed } = this.config;
    const { teacher, noise } = warmStart;
    const options = { teacher, noise, seed, faults: this.faults };
    const shown = await demonstrate(this.scribe, this.taskSet, this.tasks.demonstrated, options);
    this.checkDemonstrations(shown);
    if (rehearses(this.config)) this.demonstrated = shown;
    return shown;
  }

  /** What updates learn from besides what was played: demonstrations, and successes of the iterations before. */
  async rehearsal(): Promise<readonly TokenSequence[]> {
    const { config, faults, successes } = this;
    if (!rehearses(config)) return [];
    const demonstrations = await this.demonstrations();
    if (successes === null) return demonstrations;
    const own = await successes.sequences((unseen) =>
      demonstrateEach(
        this.scribe,
        this.taskSet,
        unseen.map(({ task }) => task),
        { teacher: unseen.map(({ actions }) => actions), noise: 0, seed: config.seed, faults },
      ),
    );
    return [...demonstrations, ...own];
  }

  /** What the expert makes of failed episodes. */
  async corrections(iteration: number, episodes: readonly Episode[]): Promise<readonly TokenSequence[]> {
    const { config, faults } = this;
    if (!rehearses(config) || config.training.corrections === 0 || this.tasks.lacksExpert) return [];
    const failures = drawFailures(episodes, this.taskSet.maxSteps, config, `${iteration}`);
    return demonstrate(
      this.scribe,
      this.taskSet,
      failures.map(({ task }) => task),
      { teacher: 'expert', noise: 0, seed: config.seed, faults, beginnings: failures.map(({ actions }) => actions) },
    );
  }

  private checkDemonstrations(demonstrations: readonly TokenSequence[]): void {
    const { maxNewTokens } = this.config.sampling;
    if (demonstrations.length === 0) {
      throw new ProxmoError(
        'config',
        'The teacher finished none of its tasks, so there is nothing to learn from; allow more steps, or set warmStart.tasks to 0.',
      );
    }
    const longest = demonstrations
      .flatMap(({ replies }) => replies)
      .reduce((most, { length }) => Math.max(most, length), 0);
    if (longest > maxNewTokens) {
      throw new ProxmoError(
        'config',
        `A demonstrated reply takes ${longest} tokens, but sampling.maxNewTokens is ${maxNewTokens}; raise it.`,
      );
    }
  }
}

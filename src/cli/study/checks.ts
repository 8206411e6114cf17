/** What can be known of a study before anything runs: that there is what its arms name, and enough of it. */
import { ProxmoError } from '../../base/errors.ts';
import type { TaskSet } from '../../envs/environment.ts';
import { createNamedTaskSet } from '../../envs/registry.node.ts';
import { type Agree, requireAgreement } from '../../rl/agreement.node.ts';
import type { TrainConfig } from '../../rl/config.ts';
import { checkTeacher } from '../../rl/demonstrations.ts';
import { makeOwnEstimator } from '../../rl/own/estimator.ts';
import { loadOwnModules } from '../../rl/own/modules.node.ts';
import { makeOwnLoss } from '../../rl/own/policyLoss.ts';
import { ownLossOf } from '../../rl/own/settings.ts';
import { RunTasks } from '../../rl/runTasks.ts';
import { checkStaleness } from '../../rl/staleness.ts';
import { taskSampler } from '../../rl/taskSampler.ts';
import { checkNewRun } from '../names.ts';
import type { Arm, Study } from './file.ts';

/**
 * Environments, models, adapters, teachers and tasks of all arms. Each environment is opened once.
 * @returns what its user should know before anything runs, a sentence each
 * @throws {ProxmoError} `config`, `file`, `environment`, with the arm; `untrusted` if the file has an environment start
 * what this user did not agree to
 */
export async function checkStudy({ arms, seeds, file, runs }: Study, agree: Agree): Promise<string[]> {
  for (const arm of arms) {
    await inArm(arm, () => checkNewRun(arm.config));
    await inArm(arm, async () => checkStaleness(arm.config, runs[0]!.workers !== undefined));
    await requireAgreement(arm.config, file, agree);
    await inArm(arm, () => loadOwnModules(arm.config));
    await inArm(arm, async () => makeOwn(arm.config));
  }
  const environments = new Set(arms.map(environmentOf));
  const notes = new Set<string>();
  for (const environment of environments) {
    const those = arms.filter((arm) => environmentOf(arm) === environment);
    for (const note of await checkTasks(those, seeds)) notes.add(note);
  }
  return [...notes];
}

/** Makes the estimator and the loss of a user's own, which alone know what options they have. */
function makeOwn({ advantages, loss }: TrainConfig): void {
  if (advantages.estimator === 'own') makeOwnEstimator(advantages);
  const own = ownLossOf({ loss });
  if (own !== null) makeOwnLoss(own);
}

function environmentOf({ config: { environment } }: Arm): string {
  return JSON.stringify([environment.name, environment.options]);
}

/** @param arms of one environment */
async function checkTasks(arms: readonly Arm[], seeds: readonly number[]): Promise<string[]> {
  const { name, options } = arms[0]!.config.environment;
  const taskSet = await inArm(arms[0]!, () => createNamedTaskSet(name, options));
  const checked = new Set<string>();
  const notes: string[] = [];
  try {
    for (const arm of arms) {
      const { warmStart, training, evaluation } = arm.config;
      const key = JSON.stringify([warmStart, training, evaluation]);
      if (checked.has(key)) continue;
      checked.add(key);
      notes.push(...(await inArm(arm, async () => checkArm(taskSet, arm.config, seeds))));
    }
    return notes;
  } finally {
    await taskSet.close?.();
  }
}

function checkArm(taskSet: TaskSet, config: TrainConfig, seeds: readonly number[]): string[] {
  return seeds.flatMap((seed) => {
    const tasks = new RunTasks(taskSet, { ...config, seed });
    if (config.warmStart.tasks > 0 && !tasks.lacksExpert) checkTeacher(taskSet, config.warmStart);
    // Each list is asked for, and looked at.
    void [tasks.training, tasks.demonstrated, tasks.heldOut];
    taskSampler(tasks.training, { ...config, seed });
    return tasks.notes;
  });
}

async function inArm<T>({ name }: Arm, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ProxmoError)) throw error;
    throw new ProxmoError(error.code, `Arm ${name}: ${error.message}`, { cause: error });
  }
}

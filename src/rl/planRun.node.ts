/**
 * The memory of a training run, planned from its settings and refused where it does not fit, before the device holds
 * any of it.
 */

import { ProxmoError } from '../base/errors.ts';
import type { TaskSet } from '../envs/environment.ts';
import type { Engine } from '../tensor/engine.ts';
import type { TrainConfig } from './config.ts';
import { type MemoryLimits, type MemoryPlan, memoryProblem, planMemory } from './memoryPlan.ts';
import { outlinePolicy } from './policySource.node.ts';

/**
 * @param onOtherModel told of saved adapters that are of a model of other sizes; default: throws
 * @throws {ProxmoError} `config`, `file` if the model cannot be had for these settings
 */
export async function planRun(
  engine: Engine,
  config: TrainConfig,
  taskSet: TaskSet,
  onOtherModel?: (sentence: string) => void,
): Promise<MemoryPlan> {
  const limits = memoryLimits(engine, config);
  const model = await outlinePolicy(config, taskSet, engine.largestBinding, onOtherModel);
  return planMemory({ model, config, maxSteps: taskSet.maxSteps }, limits);
}

/** What the device allows, and what the settings do. */
export function memoryLimits(
  { largestBinding }: Pick<Engine, 'largestBinding'>,
  { engine: { memory } }: { readonly engine: Pick<TrainConfig['engine'], 'memory'> },
): MemoryLimits {
  return { largestBuffer: largestBinding, total: memory === null ? null : memory * 2 ** 20 };
}

/** @throws {ProxmoError} `config` if a plan does not fit, with what would */
export function checkPlan(plan: MemoryPlan): void {
  const problem = memoryProblem(plan);
  if (problem !== null) throw new ProxmoError('config', problem);
}

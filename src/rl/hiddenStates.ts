/** The policy's hidden states that a run keeps on the device, where turns are compared by them. */
import type { TaskSet } from '../envs/environment.ts';
import { checkGroupSize } from './advantages/hiddenProgram.ts';
import type { TrainConfig } from './config.ts';

/** Whether a run compares turns by the policy's hidden states. */
function comparesStates({ advantages }: Pick<TrainConfig, 'advantages'>): boolean {
  return advantages.estimator === 'proxmo' && advantages.psa && advantages.similarity !== 'tfidf';
}

/**
 * Hidden states that a run keeps: one for each turn that an iteration can have; 0 where it compares none.
 * @throws {ProxmoError} `config` if a task can have more turns than can be compared
 */
export function stateRowsOf(
  config: Pick<TrainConfig, 'advantages' | 'training'>,
  { maxSteps }: Pick<TaskSet, 'maxSteps'>,
): number {
  if (!comparesStates(config)) return 0;
  const { tasks, groupSize } = config.training;
  checkGroupSize(groupSize * maxSteps, `${groupSize} episodes of up to ${maxSteps} turns have`);
  return tasks * groupSize * maxSteps;
}

/** Worlds that take longer to open, or are disturbed then: for measured and for tested fleets. */
import type { TaskSet } from '../../src/envs/environment.ts';

/** A task set whose worlds do something before they open. */
export function withOpening(taskSet: TaskSet, before: () => Promise<void> | undefined): TaskSet {
  return {
    ...taskSet,
    createEnvironment() {
      const environment = taskSet.createEnvironment();
      return {
        ...environment,
        step: (action) => environment.step(action),
        async reset(task) {
          await before();
          return environment.reset(task);
        },
      };
    },
  };
}

/** Worlds that take longer to open, or are disturbed then: for measured and for tested fleets. */
import type { Environment, TaskSet } from '../../src/envs/environment.ts';

/** A task set whose worlds do something before they open; for itself, as it looks at its tasks, they open at once. */
export function withOpening(taskSet: TaskSet, before: () => Promise<void> | undefined): TaskSet {
  const createEnvironment = (): Environment => {
    const environment = taskSet.createEnvironment();
    return {
      step: (action) => environment.step(action),
      close: () => environment.close?.(),
      async reset(task) {
        await before();
        return environment.reset(task);
      },
    };
  };
  return new Proxy(taskSet, {
    get(target, name) {
      if (name === 'createEnvironment') return createEnvironment;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** An environment in TypeScript, as its user writes it: platforms that read TypeScript load it as it stands. */
import type { ModuleFactory } from '../../src/envs/module.node.ts';

interface Door {
  readonly id: string;
  readonly type: string;
}

const tasks: readonly Door[] = Array.from({ length: 40 }, (_, index) => ({ id: `door ${index}`, type: 'door' }));

const doors: ModuleFactory = (_options, { defineTaskSet }) =>
  defineTaskSet<Door>({
    name: 'doors',
    maxSteps: 1,
    tasks,
    instruction: () => 'go left.',
    *play() {
      const action: string = yield { observation: 'two doors.', actions: ['left', 'right'] };
      return { observation: 'over.', success: action === 'left' };
    },
  });
export default doors;

/** The environment that `proxmo env new` writes: small, whole, and to be changed into another. */
import type { Skeleton } from './write.ts';

export const environmentSkeleton: Skeleton = {
  kind: 'environment',
  pattern: /^[a-z][a-z0-9-]*$/,
  rule: 'small letters, digits and hyphens, beginning with a letter, as my-world',
  files: (name) => ({ '.mjs': environment(name), '.test.mjs': test(name) }),
  next: (path, test) => [
    `node --test ${test}`,
    `proxmo env check ${asModule(path)}`,
    `proxmo train --env ${asModule(path)} --set warmStart.tasks=0`,
  ],
};

/** A path that names a module, and no environment of the package. */
function asModule(path: string): string {
  return /^([./\\]|[A-Za-z]:)/.test(path) ? path : `./${path}`;
}

const environment = (
  name: string,
) => `// The environment ${name}. What it may say besides: docs/environments.md of proxmo.
const boxes = ['red', 'green', 'blue'];

// Every task there is. One in five of each type is held out, to see whether what was learned holds there too.
const tasks = Array.from({ length: 600 }, (_, i) => ({ id: \`task-\${i}\`, type: 'fetch', box: boxes[i % boxes.length] }));

export default (options, { defineTaskSet }) =>
  defineTaskSet({
    name: '${name}',
    maxSteps: 6,
    tasks,
    // What the agent is told once.
    instruction: ({ box }) => \`the key is in the \${box} box. open the door.\`,
    // An episode: yield what is seen and what may be done, get the action, return how it ended.
    *play({ box }) {
      let observation = 'you see three boxes and a door.';
      let hasKey = false;
      while (true) {
        const actions = [...boxes.map((each) => \`search the \${each} box\`), 'open the door'];
        const action = yield { observation, actions };
        if (action === 'open the door' && hasKey) return { observation: 'the door opens.', success: true };
        if (action === \`search the \${box} box\`) hasKey = true;
        if (action === 'open the door') observation = 'the door is locked.';
        else observation = hasKey ? 'you have the key.' : 'the box is empty.';
      }
    },
  });
`;

const test = (name: string) => `// The test of ${name}: node --test ${name}.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkTaskSet, defineTaskSet } from 'proxmo';
import makeTaskSet from './${name}.mjs';

const taskSet = makeTaskSet({}, { defineTaskSet });

test('it keeps the contract of environments', async () => {
  const { findings } = await checkTaskSet(taskSet, { tasks: 3 });
  assert.deepEqual(
    findings.filter(({ holds }) => !holds),
    [],
  );
});

test('the key opens the door, and earns the reward', async () => {
  const [task] = taskSet.tasks('train', 1, 1);
  const world = taskSet.createEnvironment();
  await world.reset(task);
  assert.equal((await world.step('open the door')).done, false);
  assert.equal((await world.step(\`search the \${task.box} box\`)).observation, 'you have the key.');
  const last = await world.step('open the door');
  assert.deepEqual([last.done, last.success, last.reward], [true, true, 10]);
});
`;

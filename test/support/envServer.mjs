/**
 * An environment in a process of its own, for tests of the process bridge: the agent adds up to a number. It misbehaves
 * on demand: `options.fault` says how, `on` at which method, `task` in which task, and `once` names a file that
 * remembers that it has done so already.
 */
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

let options = {};
const episodes = new Map();

const faults = {
  exit: () => {
    process.stderr.write('out of cheese\n');
    process.exit(3);
  },
  sigkill: () => process.kill(process.pid, 'SIGKILL'),
  hang: () => {},
  stop: () => process.kill(process.pid, 'SIGSTOP'),
  notJson: () => process.stdout.write('Hello from the game!\n'),
  halfLine: () => process.stdout.write('{"id": 1, "resu', () => process.exit(0)),
  hugeLine: () => process.stdout.write(`"${'x'.repeat(1 << 25)}"\n`),
  wrongId: () => answer(987, {}),
  noAnswer: () => process.stdout.write('{"hello": "there"}\n'),
  wrongSchema: ({ id }) => answer(id, { observation: 7 }),
  misspelt: ({ id }) => answer(id, { observation: 'fine', sucess: true }),
  earlySuccess: ({ id }) => answer(id, { observation: 'fine', success: true }),
  error: ({ id }) => process.stdout.write(`${JSON.stringify({ id, error: 'no more paper' })}\n`),
};

function answer(id, result) {
  process.stdout.write(`${JSON.stringify({ id, result })}\n`);
}

function misbehaves(method, task) {
  const { fault, on = 'step', once, task: only } = options;
  if (!fault || on !== method || (only && only !== task)) return false;
  if (once) {
    try {
      // Only one of several processes can make it.
      writeFileSync(once, '', { flag: 'wx' });
    } catch {
      return false;
    }
  }
  return true;
}

function turn({ task, count }) {
  const done = count >= task.goal;
  return {
    observation: `${count} of ${task.goal}.`,
    ...(done
      ? { done, success: true, reward: 1, score: 1, components: { sum: count } }
      : { admissibleActions: ['add', 'wait'] }),
  };
}

const methods = {
  hello: () => ({
    name: 'counting',
    types: ['small', 'large'],
    maxSteps: 8,
    words: ['add', 'wait', 'of', 'count', 'to', 'pid', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
    parallel: options.parallel ?? 1,
  }),
  tasks: ({ split, count }) => ({
    tasks: Array.from({ length: Math.min(count, 12) }, (_, i) => ({
      id: `${split}-${i}`,
      type: i % 2 ? 'large' : 'small',
      goal: i % 2 ? 5 : 2,
    })),
  }),
  reset: ({ episode, task }) => {
    episodes.set(episode, { task, count: 0 });
    return { ...turn(episodes.get(episode)), instruction: `count to ${task.goal}.` };
  },
  step: ({ episode, action }) => {
    const state = episodes.get(episode);
    if (action === 'pid') return { ...turn(state), observation: `pid ${process.pid}` };
    if (action === 'add') state.count++;
    return turn(state);
  },
  close: ({ episode }) => {
    episodes.delete(episode);
    return {};
  },
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'hello') options = params.options ?? {};
  const task = params.task?.id ?? episodes.get(params.episode)?.task.id;
  if (misbehaves(method, task)) faults[options.fault]({ id });
  else answer(id, methods[method](params));
});

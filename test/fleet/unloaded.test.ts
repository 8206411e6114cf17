/** A command that has nothing to do with fleets loads nothing of NATS. */
import { expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';

const asUrl = (script: string) => `data:text/javascript,${encodeURIComponent(script)}`;
/** Fails whatever loads a package of NATS. */
const hooks = asUrl(`export function resolve(name, context, next) {
  if (name.startsWith('@nats-io/')) throw new Error('NATS is loaded');
  return next(name, context);
}`);
const env = {
  NODE_OPTIONS: `--import ${asUrl(`import { register } from 'node:module'; register(${JSON.stringify(hooks)});`)}`,
};

it.each(['train --help', 'config explain training.groupsAtOnce', 'worker --help'])('proxmo %s', async (line) => {
  expect(await proxmo(line.split(' '), { env })).toMatchObject({ code: 0, stderr: '' });
});

it('but a worker does', async () => {
  const { code, stderr } = await proxmo(['worker', 'nats://127.0.0.1:1'], { env });
  expect([code, stderr]).toEqual([70, expect.stringContaining('NATS is loaded')]);
});

/** What the command line loads before it knows what to do: not what one command alone needs, and takes long to load. */
import { expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';

const asUrl = (script: string) => `data:text/javascript,${encodeURIComponent(script)}`;
const heavy = ['@observablehq/plot', 'linkedom', 'webgpu', '@huggingface/hub', '@nats-io/transport-node'];
/** Fails whatever loads one of these packages. */
const hooks = asUrl(`export function resolve(name, context, next) {
  if (${JSON.stringify(heavy)}.includes(name)) throw new Error(name + ' is loaded');
  return next(name, context);
}`);
const env = {
  NODE_OPTIONS: `--import ${asUrl(`import { register } from 'node:module'; register(${JSON.stringify(hooks)});`)}`,
};

it.each(['--version', 'config explain seed', 'bench --help', 'env list'])('proxmo %s', async (line) => {
  expect(await proxmo(line.split(' '), { env })).toMatchObject({ code: 0, stderr: '' });
});

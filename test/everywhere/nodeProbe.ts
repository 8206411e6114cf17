/**
 * What is tried under versions of Node, and under Bun, on Dawn: the probe, and an environment written in TypeScript,
 * whose path is the first argument. Bundled by `scripts/everywhere.mjs`.
 */
import { errorMessage } from '../../src/base/errors.ts';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import { probe } from './probe.ts';

const [environment = '', extent] = process.argv.slice(2);
try {
  const { tasks } = await createNamedTaskSet(environment);
  const result = await probe({ all: extent === 'all', open: () => openDevice() }, (what) => console.error(what));
  console.log(JSON.stringify({ ...result, typescript: tasks('train', 1, 1).length }));
} catch (error) {
  console.log(JSON.stringify({ error: errorMessage(error) }));
}

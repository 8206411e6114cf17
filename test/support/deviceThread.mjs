/** A thread of deviceThreads.mjs: runs one program again and again, until somebody ends it. */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { openDevice } from '../../src/gpu/device.node.ts';
import { scale } from '../../src/ops/elementwise.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input } from '../../src/tensor/tensor.ts';

const { adapter, inWorker = false, nested = null } = workerData;
if (nested) {
  new Worker(nested, { workerData: { adapter } }).on('message', (message) => parentPort.postMessage(message));
} else {
  try {
    await run();
  } catch (error) {
    parentPort.postMessage(`${error.code}: ${error.message}`);
  }
}

async function run() {
  const engine = new Engine(await openDevice(adapter, { inWorker }));
  const program = await engine.compile({ name: 'scaled', outputs: { y: scale(input('x', [5]), 3) } });
  for (let runs = 1; ; runs++) {
    await program.run({ x: Float32Array.of(1, 2, 3, 4, 5) });
    if (runs === 3) parentPort.postMessage('running');
  }
}

/**
 * Ends threads that compute: `node deviceThreads.mjs HOW ADAPTER THREAD`, where THREAD is deviceThread.mjs, bundled.
 * Prints what happens, and its own end.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { DeviceWorker } from '../../src/gpu/deviceWorker.node.ts';

const [how, adapter, thread] = process.argv.slice(2);
const start = (Kind, data) => new Kind(thread, { workerData: { adapter, ...data } });
const firstMessage = async (worker) => (await once(worker, 'message'))[0];
const ways = {
  async terminate() {
    for (let time = 0; time < 2; time++) {
      const worker = start(DeviceWorker);
      const message = await firstMessage(worker);
      const codes = await Promise.all([worker.terminate(), worker.terminate()]);
      console.log(message, ...codes, await worker.terminate());
    }
  },
  async 'terminate at once'() {
    // How far it has come, and so its code, is up to Node.
    console.log(typeof (await start(DeviceWorker).terminate()));
  },
  async 'end of the process'() {
    await firstMessage(start(DeviceWorker));
    process.exitCode = 7;
    process.exit();
  },
  async 'uncaught error'() {
    await firstMessage(start(DeviceWorker));
    throw new Error('of the program');
  },
  async 'plain worker'() {
    console.log(await firstMessage(start(Worker)));
  },
  async 'plain worker of a thread'() {
    console.log(await firstMessage(start(DeviceWorker, { nested: thread })));
  },
  async 'promised worker'() {
    const worker = start(Worker, { inWorker: true });
    console.log(await firstMessage(worker));
    process.kill(process.pid, 'SIGKILL');
  },
};
await ways[how]();
console.log('alive');

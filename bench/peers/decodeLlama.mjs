/**
 * llama.cpp on the CPU for `decode.mjs`, by node-llama-cpp from a folder where it is installed. It takes as many
 * threads as there are cores: they wait for each other by spinning, so that one too many makes it slower by far, and by
 * default it takes four.
 */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [path, count, folder] = process.argv.slice(2);
const { resolve } = createRequire(join(folder, 'package.json'));
const { getLlama } = await import(pathToFileURL(resolve('node-llama-cpp')).href);
const threads = availableParallelism();
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads });
const model = await llama.loadModel({ modelPath: path });
const context = await model.createContext({ contextSize: 512, threads });
const sequence = context.getSequence();
const prompt = model.tokenize('The capital of France is');

async function reply() {
  await sequence.clearHistory();
  const started = performance.now();
  const tokens = [];
  let [first, cpu] = [0, 0];
  const cpuMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
  for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    first ||= performance.now();
    cpu ||= cpuMs();
    tokens.push(token);
    if (tokens.length >= Number(count)) break;
  }
  const seconds = (performance.now() - first) / 1000;
  const decoded = tokens.length - 1;
  return {
    text: tokens.join(),
    secondsToFirst: (first - started) / 1000,
    tokensPerSecond: decoded / seconds,
    cpuMs: (cpuMs() - cpu) / decoded,
  };
}

const { text, secondsToFirst } = await reply();
console.log(JSON.stringify({ text, secondsToFirst, weightsMiB: model.size / 2 ** 20 }));
for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify(await reply()));
await llama.dispose();

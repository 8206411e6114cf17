/** proxmo for `decode.mjs`: reads a model, then writes a reply for every line of its standard input. */
import { createInterface } from 'node:readline';
import { openDevice } from '../../src/gpu/device.node.ts';
import { Generator } from '../../src/nn/generator.ts';
import type { Precision } from '../../src/nn/precision.ts';
import { openPolicyModel } from '../../src/rl/policySource.node.ts';
import { Engine } from '../../src/tensor/engine.ts';

const [path = '', count = '32', precision = 'f32', adapter] = process.argv.slice(2);
const tokens = Number(count);
const gpu = await openDevice(adapter || undefined);
const engine = new Engine(gpu);
const { model, tokenizer } = await openPolicyModel(engine, path, undefined, precision as Precision);
const prompt = tokenizer.encode('The capital of France is');
const sizes = { maxPromptTokens: prompt.length, maxNewTokens: tokens, maxBatchTokens: prompt.length, maxBatchRows: 1 };
// Replies are as long as was asked for: no token ends one.
const generator = new Generator(engine, model, {
  ...sizes,
  blockSize: 4,
  firstBlock: 1,
  endToken: model.config.vocabSize,
});

let turn = 0;
async function reply() {
  const started = performance.now();
  const times: { readonly at: number; readonly cpu: number }[] = [];
  const [made] = await generator.generate(
    [{ prompt, episode: 0, turn: turn++ }],
    { seed: 1, temperature: 0, topP: 1, topK: 0 },
    (_, some) => {
      const { user, system } = process.cpuUsage();
      for (const __ of some) times.push({ at: performance.now(), cpu: (user + system) / 1000 });
      return false;
    },
  );
  const [first, last] = [times[0]!, times.at(-1)!];
  // The first token is read with the prompt; what follows is decoding alone.
  const decoded = times.filter(({ at }) => at > first.at).length;
  return {
    text: made!.tokens.join(),
    secondsToFirst: (first.at - started) / 1000,
    tokensPerSecond: (decoded * 1000) / (last.at - first.at),
    cpuMs: (last.cpu - first.cpu) / decoded,
  };
}

const { text, secondsToFirst } = await reply();
console.log(
  JSON.stringify({ text, secondsToFirst, weightsMiB: model.slab.bytes / 2 ** 20, adapter: gpu.adapter.name }),
);
for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify(await reply()));
gpu.destroy();

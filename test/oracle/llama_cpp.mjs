/**
 * Holds GGUF files that were written here against llama.cpp. Compared are the probabilities of the next token after
 * some ids, and the ids of texts, from llama.cpp and from an expected.json of `proxmo model reference` for the same
 * weights (texts without the tokens around them).
 *
 *     npm install node-llama-cpp            # in a folder of its own: this project does not depend on it
 *     node llama_cpp.mjs MODEL.gguf EXPECTED.json [ADAPTER.gguf]
 *
 * Run it from that folder, by a copy of this file. With an adapter, EXPECTED.json is of the model with it. It fails if
 * a probability differs by more than 2e-3: llama.cpp multiplies in half precision in places.
 */
import { readFileSync } from 'node:fs';
import { getLlama } from 'node-llama-cpp';

const [file, expectedFile, adapter] = process.argv.slice(2);
const expected = JSON.parse(readFileSync(expectedFile, 'utf8'));
// One thread: more of them spin while they wait, and small models gain nothing.
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: 1 });
const model = await llama.loadModel({ modelPath: file });
let largest = 0;
for (const [index, ids] of expected.input_ids.entries()) {
  const context = await model.createContext({
    contextSize: 256,
    threads: 1,
    ...(adapter === undefined ? {} : { lora: adapter }),
  });
  const sequence = context.getSequence();
  const input = ids.slice(0, -1).map((token) => [token, {}]);
  const results = await sequence.controlledEvaluate([
    ...input,
    [ids.at(-1), { generateNext: { probabilities: true } }],
  ]);
  const probabilities = results.at(-1).next.probabilities;
  const logits = (expected.last_logits ?? expected.logits.map((rows) => rows.at(-1)))[index];
  const most = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
  for (const [token, logit] of logits.entries())
    largest = Math.max(largest, Math.abs((probabilities.get(token) ?? 0) - Math.exp(logit - most) / total));
  await context.dispose();
}
let wrong = 0;
for (const { text, ids } of expected.tokenizer ?? []) {
  const found = model.tokenize(text, false).map(Number);
  if (found.join() === ids.join()) continue;
  wrong++;
  console.log(`${JSON.stringify(text)} is ${found}, not ${ids}`);
}
console.log(`largest difference of probabilities: ${largest}`);
process.exit(largest <= 2e-3 && wrong === 0 ? 0 : 1);

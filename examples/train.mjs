// Trains a small policy from a program: node examples/train.mjs
import { createTaskSet, Engine, presets, Trainer, tokenizerFor, trainConfigSchema, wordPolicySource } from 'proxmo';
import { openDevice } from 'proxmo/node';

const gpu = await openDevice(); // the best adapter there is
const engine = new Engine(gpu);
const config = trainConfigSchema.parse({ ...presets.small, seed: 1 });
const taskSet = await createTaskSet(config.environment.name, config.environment.options);
const trainer = new Trainer(engine, config, taskSet, wordPolicySource(config, tokenizerFor(taskSet)));

await trainer.warmStart(); // behaviour cloning on demonstrations
for (let iteration = 0; iteration < 3; iteration++) {
  const { metrics } = await trainer.iterate(iteration); // rollout, advantages, update
  console.log(
    `success ${metrics.success.toFixed(2)}, KL ${metrics.kl.toFixed(4)}, ${Math.round(metrics.tokensPerSecond)} tokens/s`,
  );
}
const { success, interval } = await trainer.evaluate();
console.log(`held-out success ${success.toFixed(2)} (95 %: ${interval.map((bound) => bound.toFixed(2)).join(' to ')})`);
gpu.destroy(); // a device that is open keeps the process alive

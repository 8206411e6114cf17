// Training inside another program: a task set in memory, events as they come, nothing on disk. node examples/embed.mjs
import { defineTaskSet, Engine, tokenizerFor, train, trainConfigSchema, wordPolicySource } from 'proxmo';
import { openDevice } from 'proxmo/node';

const colours = ['red', 'green', 'blue'];
const taskSet = defineTaskSet({
  name: 'doors',
  maxSteps: 2,
  tasks: Array.from({ length: 90 }, (_, i) => ({ id: `door-${i}`, type: 'open', colour: colours[i % 3] })),
  words: ['open', 'the', 'door', 'you', 'see', 'three', 'doors', 'it', 'opens', 'is', 'locked', ...colours],
  instruction: ({ colour }) => `open the ${colour} door.`,
  *play({ colour }) {
    let observation = 'you see three doors.';
    while (true) {
      const action = yield { observation, actions: colours.map((each) => `open ${each}`) };
      if (action === `open ${colour}`) return { observation: 'it opens.', success: true };
      observation = 'it is locked.';
    }
  },
});
const config = trainConfigSchema.parse({
  seed: 1,
  policy: { dModel: 16, layers: 1, heads: 2, kvHeads: 1, headDim: 8, dFf: 32 },
  prompt: { maxTokens: 96 },
  sampling: { maxNewTokens: 4, blockSize: 4, constrained: true },
  warmStart: { tasks: 0 },
  training: { iterations: 15, tasks: 6, groupSize: 8, learningRate: 1e-2, pool: 60 },
  evaluation: { tasks: 18, every: 0 },
});
const source = wordPolicySource(config, tokenizerFor(taskSet));

const gpu = await openDevice();
const engine = new Engine(gpu);
const training = train(engine, { taskSet, config, source });
for await (const event of training) {
  if (event.kind === 'iteration')
    console.log(`iteration ${event.iteration}: success ${event.metrics.success.toFixed(2)}`);
}
const { trainer, before, after } = await training.result;
console.log(`held-out success: ${before.success.toFixed(2)} before, ${after.success.toFixed(2)} after`);

await trainer.destroy(); // gives back what training held on the device
gpu.destroy();

/** Presets: configurations for certain environments and devices, as differences from the defaults. */

/**
 * The real games of ALFWorld, and a policy of 0.73 million parameters: imitation in half of the training games, then
 * reinforcement in the other half, since games that were learned by heart teach nothing. Without demonstrations in
 * every step, what 16 tasks teach costs more in all others (docs/results.md).
 */
const alfworld = {
  environment: { name: 'alfworld', options: {} },
  prompt: { memory: 'transcript', options: false, highlight: true, maxTokens: 1400 },
  policy: { dModel: 128, layers: 4, heads: 4, kvHeads: 4, headDim: 32, dFf: 256 },
  sampling: { maxNewTokens: 16, blockSize: 8, constrained: true },
  warmStart: { tasks: 1750, epochs: 2, batchTurns: 60, learningRate: 1.5e-3, promptWeight: 0 },
  training: {
    iterations: 60,
    pool: 1800,
    skip: 1750,
    tasks: 16,
    groupSize: 8,
    miniBatches: 8,
    learningRate: 5e-4,
    warmup: 0.05,
  },
  loss: { aggregation: 'episode-mean', imitationCoefficient: 1 },
  evaluation: { split: 'seen', tasks: 140, temperature: 0 },
} as const;

/** A pretrained model that thinks before it acts, with what a GPU for one person holds. */
const pretrained = {
  environment: { name: 'household', options: {} },
  prompt: { format: 'think-action', history: 2, maxTokens: 1024 },
  lora: {},
  sampling: { temperature: 1, maxNewTokens: 256, blockSize: 16, cacheShare: 0.5 },
  warmStart: { tasks: 0 },
  training: { iterations: 100, pool: 512, tasks: 8, groupSize: 8, epochs: 1, miniBatches: 4, learningRate: 1e-5 },
  optimiser: { microBatchTokens: 4096, checkpointing: 'block' },
  evaluation: { split: 'unseen', tasks: 64, temperature: 0.4 },
} as const;

/** By name. */
export const presets = {
  small: {
    environment: {
      name: 'household',
      options: {
        receptacles: 4,
        objects: 3,
        maxSteps: 16,
        rooms: 2000,
        types: ['clean', 'heat', 'cool'],
        hastyShare: 0.8,
      },
    },
    prompt: { memory: 'transcript', options: false, maxTokens: 400 },
    policy: { dModel: 64, layers: 2, heads: 8, kvHeads: 4, headDim: 8, dFf: 64, ropeTheta: 100 },
    sampling: { maxNewTokens: 6, blockSize: 4, constrained: true },
    warmStart: { tasks: 2000, noise: 0.05, epochs: 5, batchTurns: 32, learningRate: 3e-3, promptWeight: 0 },
    training: { iterations: 30, pool: 400, tasks: 16, groupSize: 8, miniBatches: 4, learningRate: 1e-3 },
    evaluation: { split: 'unseen', tasks: 120, temperature: 1 },
  },
  alfworld,
  'alfworld-few': {
    ...alfworld,
    policy: { dModel: 64, layers: 3, heads: 4, kvHeads: 4, headDim: 16, dFf: 128 },
    warmStart: { ...alfworld.warmStart, tasks: 400, epochs: 6, batchTurns: 40, learningRate: 3e-3 },
    training: { ...alfworld.training, pool: 2000, skip: 0 },
  },
  paper: {
    environment: { name: 'household', options: { receptacles: 25, objects: 30, maxSteps: 50 } },
    prompt: { maxTokens: 2048 },
    policy: { dModel: 512, layers: 8, heads: 8, kvHeads: 4, headDim: 64, dFf: 1376, ropeTheta: 10_000 },
    warmStart: { tasks: 2000, noise: 0, epochs: 2, batchTurns: 64, learningRate: 1e-3 },
    training: { iterations: 150, pool: 2000, tasks: 16, groupSize: 8, miniBatches: 4, learningRate: 1e-5 },
    evaluation: { split: 'seen', tasks: 128, temperature: 0.4 },
  },
  webshop: {
    environment: { name: 'webshop', options: {} },
    prompt: { memory: 'transcript', options: false, vocabulary: 'pointers', maxTokens: 800 },
    policy: { dModel: 64, layers: 3, heads: 4, kvHeads: 4, headDim: 16, dFf: 128, ropeTheta: 100 },
    sampling: { maxNewTokens: 2, blockSize: 2, constrained: true },
    warmStart: { tasks: 6000, epochs: 4, batchTurns: 48, learningRate: 3e-3, promptWeight: 0 },
    training: {
      iterations: 200,
      pool: 6000,
      tasks: 32,
      groupSize: 8,
      miniBatches: 4,
      learningRate: 5e-4,
      schedule: 'linear',
    },
    evaluation: { split: 'unseen', tasks: 500, temperature: 0, every: 50 },
  },
  pretrained,
  smollm2: {
    ...pretrained,
    environment: { name: 'household', options: { rooms: 2000 } },
    prompt: { format: 'think-action', memory: 'transcript', options: false, maxTokens: 960 },
    // A reply is two blocks: seven tokens to its action, whose tree binds what follows, and at most eight of that.
    sampling: { temperature: 1, maxNewTokens: 32, blockSize: 8, constrained: true },
    warmStart: { tasks: 2000, epochs: 2, batchTurns: 128, learningRate: 5e-4, schedule: 'cosine', promptWeight: 0 },
    training: { iterations: 150, pool: 2000, tasks: 16, groupSize: 8, miniBatches: 4, learningRate: 2e-5 },
    optimiser: { microBatchTokens: 8192, checkpointing: 'block' },
    evaluation: { split: 'unseen', tasks: 128, temperature: 0.4, every: 25 },
  },
  'paper-llm': {
    environment: { name: 'alfworld', options: { maxSteps: 50 } },
    prompt: { format: 'think-action', history: 2, maxTokens: 2048 },
    // All weights: the paper trains no adapters.
    lora: null,
    sampling: { temperature: 1, maxNewTokens: 512, blockSize: 16, cacheShare: 0.5 },
    warmStart: { tasks: 0 },
    training: {
      iterations: 150,
      pool: 3500,
      tasks: 16,
      groupSize: 8,
      epochs: 1,
      miniBatchRows: 256,
      learningRate: 1e-6,
      schedule: 'constant',
    },
    advantages: { estimator: 'proxmo' },
    loss: { klCoefficient: 0.01, klEstimator: 'k3', entropyCoefficient: 0.001 },
    optimiser: { microBatchTokens: 16384, checkpointing: 'block' },
    evaluation: { split: 'seen', tasks: 128, temperature: 0.4, every: 5 },
  },
} as const;

export type PresetName = keyof typeof presets;

/** What each preset is for. */
export const presetDescriptions: Readonly<Record<PresetName, string>> = {
  small:
    'A minute on two CPU cores: rooms of four places, three types of tasks, transcripts, replies bound to the actions ' +
    'on offer, and a hasty teacher, which the policy is to surpass: in four of five demonstrations it forgets to clean, ' +
    'heat or cool the thing.',
  alfworld:
    "ALFWorld's games (`proxmo env fetch alfworld`), solved from random weights on two CPU cores: the expert's episodes " +
    'in half of the training games, then ProxMO in the other half. Held-out tasks are all of the split `valid_seen`.',
  'alfworld-few':
    "ALFWorld from the expert's episodes in 400 games, after which there is much left to learn by reinforcement.",
  paper: "The paper's settings (arXiv 2602.19225, section 5) with a policy for a GPU, in full houses.",
  webshop:
    'The WebShop on two CPU cores, without a GPU: pages and actions by pointers, a policy of 150,000 parameters, a few ' +
    'minutes of demonstrations by an expert who compares products, then ProxMO. For the 1,000 products of the original, ' +
    'named as `environment.options.data`; the self-made catalogue has fewer tasks than `warmStart.tasks` and ' +
    '`training.pool`.',
  pretrained:
    'A pretrained model of 100 million to 2 billion parameters, as Qwen2.5 and SmolLM2 Instruct, which thinks before it ' +
    'acts. Adapters in place of all weights, small micro-batches and recomputed blocks, so that it fits a GPU for one ' +
    "person. Adapters learn at ten times the rate of whole weights (the paper's 1e-6).",
  smollm2:
    "SmolLM2-135M-Instruct, or another small chat model, on a GPU in full: adapters are warm-started on the expert's " +
    'transcripts of 2,000 household tasks, then 150 iterations of ProxMO. After proxmo sft, with --init, set ' +
    'warmStart.tasks=0 (docs/sft.md).',
  'paper-llm':
    "The paper's settings for a pretrained model (arXiv 2602.19225, section 5, and its official scripts), on ALFWorld: " +
    'all weights at a learning rate of 1e-6, mini-batches of 256 turns, 16 tasks with 8 episodes each, evaluations on ' +
    '128 episodes every 5 iterations. The memory is that of whole weights: look at --plan first.',
};

/** The memory of supervised fine-tuning, planned before the device holds any of it. */
import { packedLength } from '../../nn/replies.ts';
import type { Engine } from '../../tensor/engine.ts';
import { type MemoryPlan, planTraining } from '../memoryPlan.ts';
import { memoryLimits } from '../planRun.node.ts';
import { outlineModel } from '../policySource.node.ts';
import type { SftConfig } from './config.ts';
import { type ChatDataset, sizesOf } from './dataset.node.ts';

/** @throws {ProxmoError} `config`, `file` if the model cannot be had for these settings */
export async function planSft(
  engine: Engine,
  config: SftConfig,
  { training, heldOut }: ChatDataset,
): Promise<MemoryPlan> {
  const limits = memoryLimits(engine, config);
  const model = await outlineModel(config, engine.largestBinding);
  const { tokens, replyTokens } = sizesOf(training);
  const longest = [...training, ...heldOut].flat().reduce((most, each) => Math.max(most, packedLength(each)), 1);
  return planTraining({ model, optimiser: config.optimiser, replyShare: replyTokens / tokens, longest }, limits);
}

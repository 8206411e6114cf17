/** The smallest runs of supervised fine-tuning: a tiny chat model, and chats in which a door has a colour. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SftConfig, sftConfigSchema } from '../../src/rl/sft/config.ts';
import { type SftRunOptions, sftRun } from '../../src/rl/sft/run.node.ts';
import { chatModel } from './chatModel.ts';
import { tinyEngine } from './tinyRun.ts';

export interface SftWorld {
  readonly model: string;
  readonly data: string;
}

/** Writes model and chats into a folder. */
export async function sftWorld(folder: string): Promise<SftWorld> {
  const model = await chatModel(join(folder, 'model'));
  const data = join(folder, 'chats.jsonl');
  const colours = ['red', 'blue', 'green'];
  const chats = Array.from({ length: 12 }, (_, index) => ({
    messages: [
      { role: 'user', content: `door ${index % 3}` },
      { role: 'assistant', content: colours[index % 3] },
      { role: 'user', content: 'again' },
      { role: 'assistant', content: colours[index % 3] },
    ],
  }));
  writeFileSync(data, chats.map((chat) => `${JSON.stringify(chat)}\n`).join(''));
  return { model, data };
}

/** Nine chats to learn from in 12 steps, three held out. */
export function sftSettings({ model, data }: SftWorld, over: object = {}): SftConfig {
  return sftConfigSchema.parse({
    model,
    data: { path: data, heldOut: 0.25 },
    lora: { rank: 4, alpha: 8, dropout: 0.1 },
    training: { epochs: 4, batchChats: 3, learningRate: 5e-2, warmup: 0 },
    optimiser: { microBatchTokens: 256 },
    ...over,
  });
}

export async function trainSft(dir: string, config: SftConfig, options: Partial<SftRunOptions> = {}) {
  return sftRun(await tinyEngine(), { dir, config, version: '1', ...options });
}

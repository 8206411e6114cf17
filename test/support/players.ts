/**
 * Players without a GPU, for tests of rollouts: what they answer depends on the seed, the episode and the turn alone,
 * as a policy's samples do.
 */
import type { TaskSet } from '../../src/envs/environment.ts';
import { RandomStream } from '../../src/envs/random.ts';
import type { GenerationRequest, Reply, SamplingControls } from '../../src/nn/generator.ts';
import type { Player } from '../../src/rl/rollout.ts';
import { PromptBuilder } from '../../src/text/prompt.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';

export const controls: SamplingControls = { seed: 1, temperature: 1, topP: 1, topK: 0 };

/** Says one of some texts each turn. `batches` notes how many episodes were prompted together. */
export function textPlayer(taskSet: TaskSet, texts: readonly string[]): Player & { readonly batches: number[] } {
  const tokenizer = WordTokenizer.build([...(taskSet.words?.() ?? []), ...texts.flatMap((text) => text.split(' '))]);
  const batches: number[] = [];
  const reply = ({ episode, turn }: GenerationRequest, seed: number): Reply => {
    const tokens = [...tokenizer.encode(new RandomStream(seed, episode, turn).pick(texts)), tokenizer.endId];
    return { tokens, logProbs: tokens.map(() => -1) };
  };
  return {
    generator: {
      async generate(requests: readonly GenerationRequest[], { seed }: SamplingControls) {
        batches.push(requests.length);
        return requests.map((request) => reply(request, seed));
      },
    },
    tokenizer,
    prompts: new PromptBuilder(tokenizer),
    format: 'plain',
    batches,
  };
}

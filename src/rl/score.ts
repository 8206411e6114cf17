/** Log-probabilities of given replies under a policy: what the KL term compares with. */
import { Queue } from '../base/queue.ts';
import { Cache } from '../nn/buckets.ts';
import { splitBySize } from '../nn/packing.ts';
import {
  bucketName,
  type PromptReply,
  packedLength,
  packReplies,
  type ReplyBucket,
  replyBucket,
  replyGraph,
} from '../nn/replies.ts';
import type { Transformer } from '../nn/transformer.ts';
import type { Engine, Program } from '../tensor/engine.ts';
import type { Tensor } from '../tensor/tensor.ts';

export class Scorer {
  private readonly programs = new Cache<Program<{ logProb: Tensor }>>();
  /** Calls share the programs. */
  private readonly queue = new Queue();

  /** @param batchTokens most packed tokens at once; bounds memory */
  constructor(
    private readonly engine: Engine,
    private readonly model: Transformer,
    private readonly batchTokens: number,
    private readonly temperature: number,
  ) {}

  /** The log-probability of each token of each reply. A call while another is under way waits for its end. */
  score(pairs: readonly PromptReply[]): Promise<Float32Array[]> {
    return this.queue.run(() => this.scoreBatches(pairs));
  }

  private async scoreBatches(pairs: readonly PromptReply[]): Promise<Float32Array[]> {
    const scores: Float32Array[] = [];
    for (const batch of splitBySize(pairs, packedLength, this.batchTokens)) {
      const bucket = replyBucket(batch);
      const program = await this.programs.get(bucketName(bucket), () => this.compile(bucket));
      const { logProb } = await program.run(packReplies(batch, bucket));
      let at = 0;
      for (const { reply } of batch) scores.push(Float32Array.from(logProb.subarray(at, (at += reply.length))));
    }
    return scores;
  }

  private compile(bucket: ReplyBucket): Promise<Program<{ logProb: Tensor }>> {
    const { logProb } = replyGraph(this.model, bucket).logProbs(this.temperature);
    return this.engine.compile({ name: `score ${bucket.rows}`, outputs: { logProb } });
  }
}

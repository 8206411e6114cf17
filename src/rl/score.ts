/** Log-probabilities of given replies under a policy: what the KL term compares with. */
import { Queue } from '../base/queue.ts';
import { Cache } from '../nn/buckets.ts';
import { splitBySize } from '../nn/packing.ts';
import {
  bucketName,
  packedLength,
  packReplies,
  type ReplyBucket,
  replyBucket,
  replyGraph,
  replyTokens,
  type TokenSequence,
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

  /**
   * For each sequence, the log-probability of each token of its replies, one reply after another. A call while another
   * is under way waits for its end.
   */
  score(sequences: readonly TokenSequence[]): Promise<Float32Array[]> {
    return this.queue.run(() => this.scoreBatches(sequences));
  }

  private async scoreBatches(sequences: readonly TokenSequence[]): Promise<Float32Array[]> {
    const scores: Float32Array[] = [];
    for (const batch of splitBySize(sequences, packedLength, this.batchTokens)) {
      const bucket = replyBucket(batch);
      const program = await this.programs.get(bucketName(bucket), () => this.compile(bucket));
      const { logProb } = await program.run(packReplies(batch, bucket));
      let at = 0;
      for (const sequence of batch) scores.push(Float32Array.from(logProb.subarray(at, (at += replyTokens(sequence)))));
    }
    return scores;
  }

  private compile(bucket: ReplyBucket): Promise<Program<{ logProb: Tensor }>> {
    const { logProb } = replyGraph(this.model, bucket).logProbs(this.temperature);
    return this.engine.compile({ name: `score ${bucket.rows}`, outputs: { logProb } });
  }
}

/** A training step on one sequence: forward, backward and Adam, with the mean cross-entropy read back. */
import { AdamW } from '../../nn/optimizer.ts';
import { packedInputs, packSequences } from '../../nn/packing.ts';
import { packedAttention, Transformer, type TransformerConfig } from '../../nn/transformer.ts';
import { scale } from '../../ops/elementwise.ts';
import { dot } from '../../ops/reduce.ts';
import { filled, grad } from '../../tensor/autograd.ts';
import type { Engine, Program } from '../../tensor/engine.ts';
import { gatherGradients } from '../../tensor/gradients.ts';
import { input, type Tensor } from '../../tensor/tensor.ts';
import type { Variable } from '../../tensor/variable.ts';

/** The graph of a step, and the variables that it works on. */
export function sequenceGraph(config: TransformerConfig, length: number) {
  const model = new Transformer(config, 1, 'bench model');
  const { slab } = model;
  const optimiser = new AdamW(slab, { weightDecay: 0 });
  const gradients = slab.variableLike('bench gradients');
  const { tokens, positions, segments } = packedInputs(length);
  const hidden = model.hidden(tokens, positions, packedAttention(segments));
  const { logProb } = model.tokenLogProbs(hidden, input('targets', [length], 'u32'));
  const loss = scale(dot(logProb, filled([length], 1 / length)), -1);
  const { updates } = optimiser.update(gatherGradients(slab, gradients, grad(loss, slab.tensors)));
  return { loss, updates, optimiser, variables: [slab.variable, gradients, ...optimiser.variables] };
}

export class SequenceStep {
  private steps = 0;

  private constructor(
    private readonly engine: Engine,
    private readonly length: number,
    readonly program: Program<{ loss: Tensor }>,
    private readonly optimiser: AdamW,
    private readonly variables: readonly Variable[],
  ) {}

  /** @throws {ProxmoError} `gpu-error`, `shape` if it does not fit the device */
  static async create(engine: Engine, config: TransformerConfig, length: number): Promise<SequenceStep> {
    const { loss, updates, optimiser, variables } = sequenceGraph(config, length);
    try {
      const program = await engine.compile({ name: 'sequence step', outputs: { loss }, updates });
      return new SequenceStep(engine, length, program, optimiser, variables);
    } catch (error) {
      for (const variable of variables) engine.release(variable);
      throw error;
    }
  }

  /** One step. @param sequence of `length + 1` tokens @returns the loss before it */
  async step(sequence: Uint32Array<ArrayBuffer>, learningRate = 1e-3): Promise<number> {
    const { arrays } = packSequences([sequence.subarray(0, this.length)], this.length);
    const hyperparameters = this.optimiser.hyperparameters(++this.steps, learningRate);
    const { loss } = await this.program.run({ ...arrays, targets: sequence.slice(1), hyperparameters });
    return loss[0] ?? Number.NaN;
  }

  destroy(): void {
    this.program.destroy();
    for (const variable of this.variables) this.engine.release(variable);
  }
}

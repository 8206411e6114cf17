/**
 * `proxmo model inspect`: family, sizes and memory of a model on disk. Reads the configuration and the headers of the
 * weights; needs no device.
 */
import { Command } from 'commander';
import { HfCheckpoint } from '../../models/hf/checkpoint.node.ts';
import { locateWeights } from '../../models/hf/locate.ts';
import type { TransformerConfig } from '../../models/transformerConfig.ts';
import { standardOutput } from '../output.ts';
import { formatTable } from '../table.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description("Show a model's family, sizes, parameters, stored precision, and the memory that it needs.")
    .argument('<dir>', 'folder of a Hugging Face model: config.json and safetensors')
    .option('--json', 'print as JSON')
    .action(async (dir: string, { json }: { readonly json?: boolean }) => {
      const checkpoint = await HfCheckpoint.open(dir);
      try {
        const findings = examine(checkpoint);
        if (json) standardOutput.json(findings);
        else standardOutput.print(describe(findings));
      } finally {
        await checkpoint.close();
      }
    });
}

interface Findings {
  readonly dir: string;
  readonly family: string;
  readonly transformer: TransformerConfig;
  readonly endTokens: readonly number[];
  readonly parameters: number;
  readonly tensors: number;
  /** Parameters by the dtype they are stored in. */
  readonly stored: Readonly<Record<string, number>>;
  readonly bytes: {
    readonly file: number;
    /** On the device, in float32. */
    readonly weights: number;
    /**
     * Of a training step on all parameters, beside the weights: gradients of a micro-batch, their sum, and AdamW's two
     * moments.
     */
    readonly training: number;
    /** Keys and values of one token. */
    readonly kvCachePerToken: number;
    /** The largest tensor, which the host holds while it loads. */
    readonly largestTensor: number;
  };
}

const float32Bytes = 4;
/** Values beside each weight: micro-batch gradient, gradient, first and second moment. */
const trainingCopies = 4;

function examine(checkpoint: HfCheckpoint): Findings {
  const { dir, model } = checkpoint;
  const { weights } = locateWeights(model, checkpoint, dir);
  const stored: Record<string, number> = {};
  let [parameters, file, largest] = [0, 0, 0];
  for (const { sourceName } of weights) {
    const { dtype, shape, byteLength } = checkpoint.entry(sourceName);
    const count = shape.reduce((product, extent) => product * extent, 1);
    stored[dtype] = (stored[dtype] ?? 0) + count;
    parameters += count;
    file += byteLength;
    largest = Math.max(largest, count);
  }
  const { layers, kvHeads, headDim } = model.transformer;
  return {
    dir,
    family: model.family,
    transformer: model.transformer,
    endTokens: model.endTokens,
    parameters,
    tensors: weights.length,
    stored,
    bytes: {
      file,
      weights: float32Bytes * parameters,
      training: float32Bytes * trainingCopies * parameters,
      kvCachePerToken: float32Bytes * 2 * layers * kvHeads * headDim,
      largestTensor: float32Bytes * largest,
    },
  };
}

function describe({ family, transformer, endTokens, parameters, tensors, stored, bytes }: Findings): string {
  const { ropeTheta, ropeScaling, positions, maxPositions } = transformer;
  const rope = `rotary, base ${ropeTheta}${ropeScaling ? `, ${ropeScaling.kind} scaling` : ''}`;
  return formatTable([
    ['family', family],
    ['parameters', parameters.toLocaleString('en')],
    ['tensors', String(tensors)],
    [
      'stored as',
      Object.entries(stored)
        .map(([dtype, count]) => `${dtype} (${count.toLocaleString('en')})`)
        .join(', '),
    ],
    ['layers', String(transformer.layers)],
    ['width', String(transformer.dModel)],
    ['heads', `${transformer.heads}, ${transformer.kvHeads} of keys, ${transformer.headDim} wide`],
    ['MLP', `${transformer.mlp ?? 'swiglu'}, ${transformer.dFf} wide`],
    ['vocabulary', `${transformer.vocabSize}, ${transformer.tiedHead ? 'tied head' : 'head of its own'}`],
    [
      'positions',
      `${positions === 'learned' ? 'learned' : rope}${maxPositions === undefined ? '' : `, up to ${maxPositions}`}`,
    ],
    ['end tokens', endTokens.join(', ') || 'none named'],
    ['weights on disk', byteCount(bytes.file)],
    ['weights on the device', byteCount(bytes.weights)],
    ['training state beside them', byteCount(bytes.training)],
    ['KV cache of a token', byteCount(bytes.kvCachePerToken)],
    ['largest tensor', byteCount(bytes.largestTensor)],
  ]);
}

function byteCount(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

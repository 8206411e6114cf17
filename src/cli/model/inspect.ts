/**
 * `proxmo model inspect`: family, sizes and memory of a model on disk, and whether its weights are numbers. Needs no
 * device.
 */
import { Command } from 'commander';
import { checkFinite, describeNonFinite, findNonFinite, type NonFinite } from '../../models/finiteWeights.ts';
import { locateWeights } from '../../models/hf/locate.ts';
import { locateModel } from '../../models/hub/cache.node.ts';
import { openPretrained, type PretrainedModel } from '../../models/pretrained.node.ts';
import type { TransformerConfig } from '../../models/transformerConfig.ts';
import { decoderSlab } from '../../nn/decoderParameters.ts';
import { findPacking } from '../../nn/packedWeights.ts';
import { portablePieceBytes } from '../../tensor/variable.ts';
import { modelArgument, nonFiniteOption } from '../arguments.ts';
import { standardOutput } from '../output.ts';
import { formatTable } from '../table.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description("Show a model's family, sizes, parameters, stored precision, and the memory that it needs.")
    .argument('<model>', modelArgument)
    .addOption(nonFiniteOption())
    .option('--json', 'print as JSON')
    .action(async (path: string, { json, allowNonfinite }: InspectOptions) => {
      const opened = await openPretrained(await locateModel(path));
      try {
        const findings = await examine(opened, allowNonfinite ?? false);
        if (json) standardOutput.json(findings);
        else standardOutput.print(describe(findings));
      } finally {
        await opened.close();
      }
    });
}

interface InspectOptions {
  readonly allowNonfinite?: boolean;
  readonly json?: boolean;
}

interface Findings {
  readonly path: string;
  readonly family: string;
  readonly transformer: TransformerConfig;
  readonly endTokens: readonly number[];
  readonly parameters: number;
  readonly tensors: number;
  /** Parameters by the dtype they are stored in. */
  readonly stored: Readonly<Record<string, number>>;
  /** Tensors with values that are NaN or infinite. */
  readonly nonFinite: Readonly<Record<string, NonFinite>>;
  readonly bytes: {
    readonly file: number;
    /** On the device, in float32. */
    readonly weights: number;
    /** On the device with `precision: packed`; null where no matrix can stay packed. */
    readonly packed: number | null;
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

/** @throws {ProxmoError} `data` if a weight is NaN or infinite, unless that is allowed */
async function examine(opened: PretrainedModel, allowNonFinite: boolean): Promise<Findings> {
  const { path, model } = opened;
  const { weights } = locateWeights(model, opened.weights, path);
  const stored: Record<string, number> = {};
  const nonFinite: Record<string, NonFinite> = {};
  let [parameters, file, largest] = [0, 0, 0];
  for (const { sourceName } of weights) {
    const { type, bytes } = opened.storage(sourceName);
    const values = await opened.weights.read(sourceName);
    if (!allowNonFinite) checkFinite(values, sourceName, path);
    const found = findNonFinite(values);
    if (found) nonFinite[sourceName] = found;
    const count = values.length;
    stored[type] = (stored[type] ?? 0) + count;
    parameters += count;
    file += bytes;
    largest = Math.max(largest, count);
  }
  const { layers, kvHeads, headDim } = model.transformer;
  const packing = findPacking(model, opened.weights, path);
  return {
    path,
    family: model.family,
    transformer: model.transformer,
    endTokens: model.endTokens,
    parameters,
    tensors: weights.length,
    stored,
    nonFinite,
    bytes: {
      file,
      weights: float32Bytes * parameters,
      packed:
        packing.size > 0
          ? decoderSlab(model.transformer, null, path, portablePieceBytes, 'packed', packing).bytes
          : null,
      training: float32Bytes * trainingCopies * parameters,
      kvCachePerToken: float32Bytes * 2 * layers * kvHeads * headDim,
      largestTensor: float32Bytes * largest,
    },
  };
}

function describe(findings: Findings): string {
  const { family, transformer, endTokens, parameters, tensors, stored, nonFinite, bytes } = findings;
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
    ...(bytes.packed === null ? [] : [['with precision packed', byteCount(bytes.packed)]]),
    ['training state beside them', byteCount(bytes.training)],
    ['KV cache of a token', byteCount(bytes.kvCachePerToken)],
    ['largest tensor', byteCount(bytes.largestTensor)],
    ...Object.entries(nonFinite).map(([name, found]) => [`not finite: ${name}`, describeNonFinite(found)]),
  ]);
}

function byteCount(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

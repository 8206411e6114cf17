/**
 * `proxmo model inspect`: family, sizes and memory of a model on disk, and whether its weights are numbers; of a run
 * what it trained besides. Needs no device.
 */
import { Command } from 'commander';
import { ProxmoError } from '../../base/errors.ts';
import { checkFinite, describeNonFinite, findNonFinite, type NonFinite } from '../../models/finiteWeights.ts';
import { locateWeights } from '../../models/hf/locate.ts';
import { locateModel } from '../../models/hub/cache.node.ts';
import { openPretrained, type PretrainedModel } from '../../models/pretrained.node.ts';
import type { TransformerConfig } from '../../models/transformerConfig.ts';
import { decoderSlab } from '../../nn/decoderParameters.ts';
import { findPacking } from '../../nn/packedWeights.ts';
import { portablePieceBytes } from '../../tensor/variable.ts';
import { modelOrRun, nonFiniteOption } from '../arguments.ts';
import { isRun } from '../generate/source.ts';
import { standardOutput } from '../output.ts';
import { formatTable } from '../table.ts';
import { inspectRun, type RunFindings } from './inspectRun.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description("Show a model's family, sizes, parameters, stored precision, and the memory that it needs.")
    .argument('<model>', modelOrRun)
    .addOption(nonFiniteOption())
    .option('--json', 'print as JSON')
    .action(async (name: string, { json, allowNonfinite }: InspectOptions) => {
      const path = await locateModel(name);
      const run = (await isRun(path)) ? await inspectRun(path) : null;
      const of = run ? run.model : path;
      const findings = of === null ? null : await examineAt(of, allowNonfinite ?? false);
      if (json) standardOutput.json({ ...findings, ...(run ? { trained: run } : {}) });
      else
        standardOutput.print(
          [...(run ? [describeRun(run)] : []), ...(findings ? [describe(findings)] : [])].join('\n'),
        );
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
  /** Tokens that end a reply: those that the files name, and those known by their text. */
  readonly endTokens: readonly number[];
  /** Texts of these, where there is a tokenizer. */
  readonly endTexts: readonly string[] | null;
  /** Why there is no tokenizer; null if there is one. */
  readonly tokenizerProblem: string | null;
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

async function examineAt(path: string, allowNonFinite: boolean): Promise<Findings> {
  const opened = await openPretrained(path);
  try {
    return await examine(opened, allowNonFinite);
  } finally {
    await opened.close();
  }
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
    ...(await endsOf(opened)),
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

/** What ends a reply, as `proxmo generate` takes it; without a tokenizer what config.json names. */
async function endsOf(opened: PretrainedModel): Promise<Pick<Findings, 'endTokens' | 'endTexts' | 'tokenizerProblem'>> {
  try {
    const tokenizer = await opened.loadTokenizer();
    const endTexts = tokenizer.stopIds.map((id) => tokenizer.decode([id]));
    return { endTokens: tokenizer.stopIds, endTexts, tokenizerProblem: null };
  } catch (error) {
    if (!(error instanceof ProxmoError) || error.code !== 'file') throw error;
    return { endTokens: opened.model.endTokens, endTexts: null, tokenizerProblem: error.message };
  }
}

function describeRun({ run, iteration, trained, adapters, model, policy }: RunFindings): string {
  const what = adapters
    ? `adapters of rank ${adapters.ranks.join(', ')} on ${adapters.projections} projections`
    : 'all weights';
  return formatTable([
    ['run', run],
    ['checkpoint', `after iteration ${iteration}`],
    ['trained', `${what}: ${trained.parameters.toLocaleString('en')} parameters in ${trained.tensors} tensors`],
    ['model', model ?? 'a policy of its own'],
    ...Object.entries(policy ?? {}).map(([size, value]): [string, string] => [size, String(value)]),
  ]);
}

function describe(findings: Findings): string {
  const { family, transformer, endTokens, endTexts, tokenizerProblem, parameters, tensors, stored, nonFinite, bytes } =
    findings;
  const { ropeTheta, ropeScaling, positions, maxPositions, rotaryDim, headDim } = transformer;
  const part = rotaryDim === undefined ? '' : `, ${rotaryDim} of the ${headDim} elements of a head`;
  const rope = `rotary, base ${ropeTheta}${ropeScaling ? `, ${ropeScaling.kind} scaling` : ''}${part}`;
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
    ...layerRows(transformer),
    [
      'end tokens',
      endTokens.map((id, index) => (endTexts ? `${id} ${JSON.stringify(endTexts[index])}` : id)).join(', ') ||
        'none named',
    ],
    ...(tokenizerProblem === null ? [] : [['no tokenizer', tokenizerProblem]]),
    ['weights on disk', byteCount(bytes.file)],
    ['weights on the device', byteCount(bytes.weights)],
    ...(bytes.packed === null ? [] : [['with precision packed', byteCount(bytes.packed)]]),
    ['training state beside them', byteCount(bytes.training)],
    ['KV cache of a token', byteCount(bytes.kvCachePerToken)],
    ['largest tensor', byteCount(bytes.largestTensor)],
    ...Object.entries(nonFinite).map(([name, found]) => [`not finite: ${name}`, describeNonFinite(found)]),
  ]);
}

/** What layers have of their own, with how many have it. */
function layerRows({ layerForms = [], layers }: TransformerConfig): [string, string][] {
  const counted = (name: string, values: readonly (string | undefined)[]): [string, string][] => {
    const given = values.filter((value) => value !== undefined);
    const kinds = [...new Set(given)].map(
      (kind) => `${kind} in ${given.filter((each) => each === kind).length} of ${layers} layers`,
    );
    return kinds.length === 0 ? [] : [[name, kinds.join(', ')]];
  };
  return [
    ...counted(
      'window',
      layerForms.map(({ window }) => (window === undefined ? undefined : `${window} tokens`)),
    ),
    ...counted(
      'positions of their own',
      layerForms.map(({ ropeTheta }) =>
        ropeTheta === undefined ? undefined : ropeTheta === 0 ? 'none' : `rotary, base ${ropeTheta}`,
      ),
    ),
  ];
}

function byteCount(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

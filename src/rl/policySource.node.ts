/**
 * What a run's policy starts from, on disk. A run with a word vocabulary keeps it as `tokenizer.json`. A run on a
 * pretrained model keeps the model's path and hash as `model.json`, those of the adapters that it began with, too, and
 * finds them there whenever it goes on.
 */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import type { TaskSet } from '../envs/environment.ts';
import { locateWeights } from '../models/hf/locate.ts';
import { digestOfAdapter } from '../models/peft.node.ts';
import type { LoraConfig } from '../models/peft.ts';
import { digestOfModel, openPretrained } from '../models/pretrained.node.ts';
import { decoderSlab } from '../nn/decoderParameters.ts';
import { loadPretrained } from '../nn/decoderWeights.ts';
import { type Packing, packingOf } from '../nn/packedWeights.ts';
import type { WeightStorage } from '../nn/precision.ts';
import { Transformer, type TransformerConfig } from '../nn/transformer.ts';
import type { Run } from '../runs/run.ts';
import { checkDtype } from '../tensor/dtypes.ts';
import type { Engine } from '../tensor/engine.ts';
import { WordTokenizer } from '../text/wordTokenizer.ts';
import { savedAdaptersOf, type TrainConfig } from './config.ts';
import { checkModelRoom } from './modelRoom.node.ts';
import { tokenizerFor } from './policy.ts';
import {
  type ChatSettings,
  type PolicySource,
  pretrainedPolicySource,
  trainedStorage,
  wordPolicySource,
} from './policySource.ts';
import { outlineAdapters, startingAdapters } from './startingAdapters.node.ts';

const tokenizerFile = 'tokenizer.json';
const modelFile = 'model.json';

const filesSchema = z.strictObject({ path: z.string(), sha256: z.string() });
const modelSchema = filesSchema.extend({ adapters: filesSchema.optional() });

type KnownFiles = z.infer<typeof filesSchema>;

/** A source, and what a new run must keep to find it again: texts by file name. */
export interface NewPolicySource {
  readonly source: PolicySource;
  readonly files: Readonly<Record<string, string>>;
}

/** For a new run. @throws {ProxmoError} `config`, `file` */
export async function newPolicySource(engine: Engine, config: TrainConfig, taskSet: TaskSet): Promise<NewPolicySource> {
  const { model } = config;
  if (model !== undefined) return newModelSource(engine, { ...config, model });
  if (config.precision === 'f16') checkDtype(engine.gpu, 'f16');
  const tokenizer = tokenizerFor(taskSet, config.prompt.format, config.prompt.vocabulary);
  return {
    source: wordPolicySource(config, tokenizer),
    files: { [tokenizerFile]: `${JSON.stringify(tokenizer)}\n` },
  };
}

/** For a new run that begins with a pretrained model. @throws {ProxmoError} `config`, `file` */
export async function newModelSource(
  engine: Engine,
  config: TrainConfig & { readonly model: string },
): Promise<NewPolicySource> {
  if (config.precision === 'f16') checkDtype(engine.gpu, 'f16');
  const source = await openPolicyModel(engine, config.model, config, trainedStorage(config));
  const from = savedAdaptersOf(config);
  const record: z.infer<typeof modelSchema> = {
    path: config.model,
    sha256: await digestOfModel(config.model),
    ...(from === undefined ? {} : { adapters: { path: from, sha256: await digestOfAdapter(from) } }),
  };
  return { source, files: { [modelFile]: `${JSON.stringify(record, null, 2)}\n` } };
}

/** The model that a run began with: its path and hash; null where it began with none. @throws {ProxmoError} `file` */
export async function modelOfRun(run: Run): Promise<KnownFiles | null> {
  const text = await run.readFile(modelFile);
  if (text === null) return null;
  const { path, sha256 } = parseRecord(text, run.dir);
  return { path, sha256 };
}

/**
 * For a run that there is.
 * @param storage of the policy's matrices; default: as training needs it
 * @throws {ProxmoError} `file` if what it started from is gone or was changed
 */
export async function loadPolicySource(
  engine: Engine,
  config: TrainConfig,
  run: Run,
  storage = trainedStorage(config),
): Promise<PolicySource> {
  const name = config.model === undefined ? tokenizerFile : modelFile;
  const text = await run.readFile(name);
  if (text === null)
    throw new ProxmoError(
      'file',
      `${run.dir} has no ${name}; the run is damaged or stopped before it began, so start it anew.`,
    );
  if (config.model === undefined) return wordPolicySource(config, WordTokenizer.parse(text), storage);
  const { adapters, ...model } = parseRecord(text, run.dir);
  await checkUnchanged(run, 'model', model, config.model, digestOfModel);
  await checkUnchanged(run, 'adapter', adapters, savedAdaptersOf(config), digestOfAdapter);
  return openPolicyModel(engine, config.model, config, storage);
}

/**
 * @throws {ProxmoError} `config` if the configuration names others than the run began with, `file` if they were changed
 */
async function checkUnchanged(
  { dir }: Run,
  what: string,
  known: KnownFiles | undefined,
  named: string | undefined,
  digest: (path: string) => Promise<string>,
): Promise<void> {
  if (known?.path !== named) {
    const [now, before] = [named, known?.path].map((path) => path ?? 'none');
    throw new ProxmoError(
      'config',
      `${dir}: config.yaml names the ${what} ${now}, but the run began with ${before}; restore it.`,
    );
  }
  if (known && (await digest(known.path)) !== known.sha256) {
    throw new ProxmoError(
      'file',
      `${known.path} is not the ${what} that ${dir} began with: its files have changed; put them back.`,
    );
  }
}

/**
 * A pretrained model as a policy's source, with the adapters that a run begins with where it trains those.
 * @param allowNonFinite as of `loadPretrained`
 * @throws {ProxmoError} `file`, `config`, `data`
 */
export async function openPolicyModel(
  engine: Engine,
  path: string,
  {
    lora,
    seed,
    prompt,
  }: Pick<TrainConfig, 'seed'> & {
    readonly lora: TrainConfig['lora'] | LoraConfig;
    readonly prompt?: TrainConfig['prompt'];
  } = {
    lora: null,
    seed: 1,
  },
  storage: WeightStorage = 'f32',
  allowNonFinite = false,
): Promise<PolicySource> {
  const opened = await openPretrained(path);
  try {
    // Before the weights, which take a while, so that what is wrong is told at once.
    checkModelRoom(engine, opened, storage);
    const adapters = lora && (await startingAdapters(engine, opened.model, opened.weights, lora, seed));
    const tokenizer = await opened.loadTokenizer();
    tokenizer.requireChatSettings(chatSettings(prompt));
    const sampling = await opened.loadSampling();
    const base = await loadPretrained(engine, opened.model, opened.weights, path, storage, allowNonFinite);
    const policy = adapters ? base.withAdapters(adapters) : base;
    return { ...pretrainedPolicySource(policy, tokenizer, path, chatSettings(prompt)), sampling };
  } finally {
    await opened.close();
  }
}

/** What settings give a chat template besides the conversation. */
export function chatSettings(prompt: Pick<TrainConfig['prompt'], 'template' | 'tools'> | undefined): ChatSettings {
  if (prompt === undefined) return {};
  const { template, tools } = prompt;
  return { ...(Object.keys(template).length > 0 ? { variables: template } : {}), ...(tools ? { tools } : {}) };
}

/**
 * The policy of a run in its sizes alone: what a memory plan needs. Files are checked as when they are loaded, as far
 * as their headers tell.
 * @param largestPiece as `decoderSlab`'s
 * @param onOtherModel as of `checkAdapterTensors`
 * @throws {ProxmoError} `config`, `file`
 */
export async function outlinePolicy(
  config: TrainConfig,
  taskSet: TaskSet,
  largestPiece: number,
  onOtherModel?: (sentence: string) => void,
): Promise<Transformer> {
  const { model: path, policy, prompt } = config;
  if (path !== undefined) return outlineModel({ ...config, model: path }, largestPiece, onOtherModel);
  const sizes = { ...policy, vocabSize: tokenizerFor(taskSet, prompt.format, prompt.vocabulary).vocabSize };
  return outline(config, sizes, largestPiece);
}

/** `outlinePolicy`, of a pretrained model. */
export async function outlineModel(
  config: Pick<TrainConfig, 'precision' | 'lora'> & { readonly model: string },
  largestPiece: number,
  onOtherModel?: (sentence: string) => void,
): Promise<Transformer> {
  const opened = await openPretrained(config.model);
  try {
    const { model, weights } = opened;
    locateWeights(model, weights, config.model);
    const packing = config.precision === 'packed' ? packingOf(model, weights, config.model) : null;
    const base = outline(config, model.transformer, largestPiece, packing);
    return config.lora ? base.withAdapters(await outlineAdapters(model, weights, config.lora, onOtherModel)) : base;
  } finally {
    await opened.close();
  }
}

function outline(
  config: Pick<TrainConfig, 'precision' | 'lora'>,
  sizes: TransformerConfig,
  largestPiece: number,
  packing: Packing | null = null,
): Transformer {
  return new Transformer(sizes, decoderSlab(sizes, null, 'policy', largestPiece, trainedStorage(config), packing));
}

function parseRecord(text: string, dir: string): z.infer<typeof modelSchema> {
  try {
    return modelSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ProxmoError('file', `${dir}: ${modelFile} is damaged; restore it, or start the run anew.`, { cause });
  }
}

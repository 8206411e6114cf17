/**
 * What a run's policy starts from, on disk. A run with a word vocabulary keeps it as `tokenizer.json`; a run on a pretrained model keeps the model's path and hash as
 * `model.json`, and finds the model there whenever it goes on.
 */
import * as z from 'zod';
import type { TaskSet } from '../envs/environment.ts';
import { ProxmoError } from '../errors.ts';
import { digestOfModel, openPretrained } from '../models/pretrained.node.ts';
import { loadPretrained } from '../nn/decoderWeights.ts';
import type { Run } from '../runs/run.ts';
import type { Engine } from '../tensor/engine.ts';
import { WordTokenizer } from '../text/wordTokenizer.ts';
import type { TrainConfig } from './config.ts';
import { tokenizerFor } from './policy.ts';
import { type PolicySource, pretrainedPolicySource, wordPolicySource } from './policySource.ts';

const tokenizerFile = 'tokenizer.json';
const modelFile = 'model.json';

const modelSchema = z.strictObject({ path: z.string(), sha256: z.string() });

/** A source, and what a new run must keep to find it again: texts by file name. */
export interface NewPolicySource {
  readonly source: PolicySource;
  readonly files: Readonly<Record<string, string>>;
}

/** For a new run. @throws {ProxmoError} `config`, `file` */
export async function newPolicySource(engine: Engine, config: TrainConfig, taskSet: TaskSet): Promise<NewPolicySource> {
  if (config.model === undefined) {
    const tokenizer = tokenizerFor(taskSet);
    return { source: wordPolicySource(config, tokenizer), files: { [tokenizerFile]: `${JSON.stringify(tokenizer)}\n` } };
  }
  const source = await openPolicyModel(engine, config.model);
  const record: z.infer<typeof modelSchema> = { path: config.model, sha256: await digestOfModel(config.model) };
  return { source, files: { [modelFile]: `${JSON.stringify(record, null, 2)}\n` } };
}

/** For a run that there is. @throws {ProxmoError} `file` if what it started from is gone or was changed */
export async function loadPolicySource(engine: Engine, config: TrainConfig, run: Run): Promise<PolicySource> {
  const name = config.model === undefined ? tokenizerFile : modelFile;
  const text = await run.readFile(name);
  if (text === null)
    throw new ProxmoError('file', `${run.dir} has no ${name}; the run is damaged or stopped before it began, so start it anew.`);
  if (config.model === undefined) return wordPolicySource(config, WordTokenizer.parse(text));
  const { path, sha256 } = parseRecord(text, run.dir);
  if (path !== config.model) {
    throw new ProxmoError('config', `${run.dir}: config.yaml names the model ${config.model}, but the run began with ${path}; restore it.`);
  }
  if ((await digestOfModel(path)) !== sha256) {
    throw new ProxmoError('file', `${path} is not the model that ${run.dir} began with: its files have changed; put them back.`);
  }
  return openPolicyModel(engine, path);
}

/** A pretrained model as a policy's source. @throws {ProxmoError} `file`, `config` */
export async function openPolicyModel(engine: Engine, path: string): Promise<PolicySource> {
  const opened = await openPretrained(path);
  try {
    const tokenizer = await opened.loadTokenizer();
    return pretrainedPolicySource(await loadPretrained(engine, opened.model, opened.weights, path), tokenizer, path);
  } finally {
    await opened.close();
  }
}

function parseRecord(text: string, dir: string): z.infer<typeof modelSchema> {
  try {
    return modelSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ProxmoError('file', `${dir}: ${modelFile} is damaged; restore it, or start the run anew.`, { cause });
  }
}

/**
 * What `proxmo generate` speaks with: a pretrained model on disk or the policy of a run, and how a prompt becomes
 * tokens for it.
 */
import { join } from 'node:path';
import { exists } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { locateModel } from '../../models/hub/cache.node.ts';
import { mergeAdapters } from '../../nn/mergeAdapters.ts';
import type { Precision } from '../../nn/precision.ts';
import { encodeMessages } from '../../rl/generate/generateText.ts';
import { openPolicyModel } from '../../rl/policySource.node.ts';
import type { ChatSettings, PolicySource } from '../../rl/policySource.ts';
import { loadRunModel } from '../../rl/run.node.ts';
import { policyConfig } from '../../rl/runConfig.node.ts';
import { openRun, runFiles } from '../../runs/run.ts';
import type { Engine } from '../../tensor/engine.ts';
import type { ChatMessage } from '../../text/hf/chatTemplate.ts';
import { HfTokenizer } from '../../text/hf/hfTokenizer.ts';
import { tellTuning } from '../loadedRun.ts';
import { checkModel } from '../names.ts';

/**
 * The path of a model or a run, which is there.
 * @param name its path, or that of a model on the hub
 * @throws {ProxmoError} `file`, `config`
 */
export async function checkSource(name: string): Promise<string> {
  const path = await locateModel(name);
  await checkModel((await isRun(path)) ? policyConfig(await openRun(path)).model : path);
  return path;
}

/** Whether a path is that of a run's folder. */
export function isRun(path: string): Promise<boolean> {
  return exists(join(path, runFiles.manifest));
}

/**
 * @param precision of the matrices; default: the run's, or f32
 * @param allowNonFinite take a pretrained model whose weights are not all numbers
 * @throws {ProxmoError} `file`, `config`, `data`
 */
export async function openSource(
  engine: Engine,
  path: string,
  precision?: Precision,
  allowNonFinite = false,
): Promise<PolicySource> {
  if (await isRun(path)) {
    const { source: trained, config, run, tuning } = await loadRunModel(engine, path, undefined, precision);
    tellTuning(tuning);
    const source = await withoutAdapters(engine, trained);
    // What was tuned on chats samples as its makers say.
    if (run.manifest.kind === 'sft') return source;
    const { temperature, topP, topK } = config.sampling;
    return { ...source, sampling: { temperature, topP, topK, unsupported: [], from: 'the run' } };
  }
  return openPolicyModel(engine, path, undefined, precision, allowNonFinite);
}

/**
 * The same policy without adapters beside its weights, which would take several kernels more for each projection and
 * token. Weights in f16 or packed keep them: their sum would be rounded.
 */
async function withoutAdapters(engine: Engine, source: PolicySource): Promise<PolicySource> {
  const { model } = source;
  if (!model.adapters || model.stored !== 'f32' || model.slab.packed) return source;
  return { ...source, model: await mergeAdapters(engine, model) };
}

/**
 * Tokens of a conversation, up to where the model's next answer begins.
 * @param settings variables and tools of the template, over those that a run was trained with
 * @throws {ProxmoError} `usage` if the model holds no conversations, `config` if its template does not read a setting
 */
export function encodeConversation(
  source: PolicySource,
  messages: readonly ChatMessage[],
  path: string,
  settings: ChatSettings,
): number[] {
  const { tokenizer } = source;
  if (!(tokenizer instanceof HfTokenizer) || !tokenizer.hasChatTemplate) {
    throw new ProxmoError('usage', `${path} has no chat template, so it holds no conversations; leave out --chat.`);
  }
  return encodeMessages(tokenizer, source, messages, settings);
}

/** A policy with all it needs to act: weights, tokenizer, prompts and generator. */

import { ProxmoError } from '../base/errors.ts';
import type { TaskSet } from '../envs/environment.ts';
import { Generator, type SamplingControls } from '../nn/generator.ts';
import type { Transformer } from '../nn/transformer.ts';
import type { Engine } from '../tensor/engine.ts';
import type { Variable } from '../tensor/variable.ts';
import type { ActionFormat } from '../text/actionFormat.ts';
import { type PointerStyle, pointerWords } from '../text/pointers.ts';
import { PromptBuilder } from '../text/prompt.ts';
import { thinkActionWords } from '../text/promptThinkAction.ts';
import type { StreamingTokenizer } from '../text/tokenizer.ts';
import { WordTokenizer } from '../text/wordTokenizer.ts';
import type { Vocabulary } from '../text/writing.ts';
import { ActionConstraints } from './actionConstraint.ts';
import type { TrainConfig } from './config.ts';
import type { PolicySource } from './policySource.ts';
import type { Player } from './rollout.ts';

/**
 * Most prompt tokens that a policy reads in one batch: enough to fill a device, small enough for 128 MiB bindings of
 * activations.
 */
export const maxBatchTokens = 8192;

/** Most episodes of an evaluation that are played at once, where training has fewer. */
const maxEvaluationRows = 64;

/**
 * Most prompts that a policy answers at once, for each of which the KV cache has a slot: an iteration's episodes, or
 * those of its evaluations. They need no rounding: programs are compiled for buckets of the rows that are open,
 * whatever the slots.
 */
export function batchRows({ training, evaluation }: Pick<TrainConfig, 'training' | 'evaluation'>): number {
  const { tasks, groupSize } = training;
  const most = episodesAtOnce({ training }) ?? tasks * groupSize;
  return Math.max(most, Math.min(evaluation.tasks, maxEvaluationRows));
}

/** Most episodes that a run plays in one batch; undefined where all of an iteration, or of an evaluation, are. */
export function episodesAtOnce({ training }: Pick<TrainConfig, 'training'>): number | undefined {
  const { groupsAtOnce, tasks, groupSize } = training;
  return groupsAtOnce === null ? undefined : Math.min(groupsAtOnce, tasks) * groupSize;
}

/**
 * Sequences of the longest prompts and replies that the KV cache holds. Windows are mostly far shorter than they may
 * be; where they are not, they are answered in more batches. A transcript keeps its place from turn to turn and grows
 * in it, so that each has one of full length.
 */
export function cachedSequences(
  config: Pick<TrainConfig, 'training' | 'evaluation' | 'sampling' | 'prompt'>,
  rows = batchRows(config),
): number {
  const { prompt, sampling } = config;
  return prompt.memory === 'transcript' ? rows : Math.ceil(rows * sampling.cacheShare);
}

export interface PolicyOptions {
  /** Most prompts that it answers at once; default: as `batchRows` of the settings. */
  readonly rows?: number | undefined;
  /** Hidden states that its rollouts may keep; default 0. */
  readonly stateRows?: number;
}

/**
 * @example
 * await using policy = new Policy(engine, config, wordPolicySource(config, tokenizerFor(taskSet)), taskSet);
 * const options = { controls: policy.evaluationControls, firstEpisode: 0 };
 * const { episodes } = await playEpisodes(policy.player, taskSet, taskSet.tasks('train', 8, 1), options);
 */
export class Policy {
  readonly engine: Engine;
  readonly model: Transformer;
  readonly tokenizer: StreamingTokenizer;
  readonly player: Player;
  /** The hidden states that its rollouts keep; null where they keep none. */
  readonly states: Variable | null;

  constructor(
    engine: Engine,
    readonly config: TrainConfig,
    source: PolicySource,
    /** The environment's own forms of what is read. */
    forms: Pick<TaskSet, 'name' | 'thinkAction' | 'pointers'>,
    { rows = batchRows(config), stateRows = 0 }: PolicyOptions = {},
  ) {
    this.engine = engine.part();
    const { sampling, prompt } = config;
    const { model, tokenizer, endTokens, encodeMessage, encodeFollowUp } = source;
    this.model = model;
    this.tokenizer = tokenizer;
    const prompts = new PromptBuilder(tokenizer, {
      history: prompt.history,
      showActions: prompt.options,
      repeatTask: prompt.repeatTask,
      highlight: prompt.highlight,
      format: prompt.format,
      maxTokens: prompt.maxTokens,
      ...(forms.thinkAction ? { thinkAction: forms.thinkAction } : {}),
      ...(prompt.vocabulary === 'pointers' ? { pointers: pointersOf(forms) } : {}),
      ...(encodeMessage ? { encodeMessage } : {}),
      ...(encodeFollowUp ? { encodeFollowUp } : {}),
    });
    const generator = new Generator(this.engine, model, {
      maxPromptTokens: prompt.maxTokens,
      maxNewTokens: sampling.maxNewTokens,
      blockSize: Math.min(sampling.blockSize, sampling.maxNewTokens),
      maxBatchTokens: Math.max(maxBatchTokens, prompt.maxTokens),
      maxBatchRows: rows,
      cachedSequences: cachedSequences(config, rows),
      endToken: endTokens,
      stateRows,
    });
    this.states = generator.states;
    const constraints = sampling.constrained ? new ActionConstraints(tokenizer, prompt.format, prompts.writing) : null;
    this.player = {
      generator,
      tokenizer,
      prompts,
      memory: prompt.memory,
      ...(prompt.memory === 'transcript' ? { sessions: generator } : {}),
      format: prompt.format,
      endTokens,
      ...(constraints ? { constrain: (actions) => constraints.of(actions) } : {}),
    };
  }

  /** Whether a reply ended because it may be no longer. */
  isCut(reply: readonly number[]): boolean {
    const ends = this.player.endTokens ?? [this.tokenizer.endId];
    return reply.length >= this.config.sampling.maxNewTokens && !ends.includes(reply.at(-1) ?? -1);
  }

  /** Frees what it made on the device: its programs and KV cache, and weights unless they were there before it. */
  destroy(): void {
    this.engine.destroy();
  }

  /** `destroy`, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
  }

  /** How it samples while it trains. */
  get trainingControls(): SamplingControls {
    const { temperature, topP, topK } = this.config.sampling;
    return { seed: this.config.seed, temperature, topP, topK };
  }

  /** How it samples when it is evaluated. */
  get evaluationControls(): SamplingControls {
    return { ...this.trainingControls, temperature: this.config.evaluation.temperature };
  }
}

/**
 * A word-level tokenizer for a task set.
 * @param format of the prompts; the words of `think-action` messages are added where they are used
 * @throws {ProxmoError} `config` if the task set does not know its words, or has no form with pointers
 */
export function tokenizerFor(
  taskSet: TaskSet,
  format: ActionFormat = 'plain',
  vocabulary: Vocabulary = 'words',
): WordTokenizer {
  if (vocabulary === 'pointers') return WordTokenizer.build(pointerWords(pointersOf(taskSet)));
  const words = taskSet.words?.() ?? [];
  if (words.length === 0) {
    throw new ProxmoError(
      'config',
      `The environment ${taskSet.name} lists no words, so no word-level vocabulary can be built; give it a words() method, or where it runs in another program, set environment.options.words or wordEpisodes.`,
    );
  }
  return WordTokenizer.build(format === 'think-action' ? [...words, ...thinkActionWords(taskSet.thinkAction)] : words);
}

function pointersOf({ name, pointers }: Pick<TaskSet, 'name' | 'pointers'>): PointerStyle {
  if (pointers !== undefined) return pointers;
  throw new ProxmoError('config', `The environment ${name} has no form with pointers; set prompt.vocabulary to words.`);
}

/**
 * The package's public interface: engine, models, policies, environments and ProxMO. Everything here runs in a browser
 * too; what needs Node (opening a device under Dawn, run folders) is in `proxmo/node`.
 */

export type { KernelSpec, RunnableKernel } from '../kernels/spec.ts';
export * from './advantages.ts';
export { ResultStream } from './base/resultStream.ts';
export * from './browser.ts';
export * from './engine.ts';
export { createHttpTaskSet } from './envs/bridge/http.ts';
export { type CheckReport, checkTaskSet } from './envs/check.ts';
export { defineTaskSet } from './envs/define.ts';
export { FaultLog, type FaultSettings } from './envs/faults.ts';
export {
  createHouseholdTaskSet,
  createTaskSet,
  type Environment,
  type Expert,
  environments,
  type HouseholdOptions,
  type HouseholdTask,
  type Split,
  type Task,
  type TaskSet,
  type TaskSetFactory,
  type Turn,
} from './envs/index.ts';
export { createWebshopTaskSet, type WebshopOptions } from './envs/webshop/index.ts';
export { type HfModel, parseHfConfig } from './models/hf/config.ts';
export { type LoraConfig, parseAdapterConfig } from './models/peft.ts';
export type { WeightSource } from './models/weightSource.ts';
export type { BoundReply, Constraint } from './nn/constraint.ts';
export { decoderSlab } from './nn/decoderParameters.ts';
export { loadPretrained, pretrainedWeights } from './nn/decoderWeights.ts';
export {
  type GenerationRequest,
  Generator,
  type GeneratorOptions,
  type OnTokens,
  type Reply,
  type SamplingControls,
} from './nn/generator.ts';
export { copyWeights, readParameter, writeParameter } from './nn/halfWeights.ts';
export { LoraAdapters } from './nn/lora.ts';
export { adapterWeights, loadAdapters, loadSavedModules } from './nn/loraWeights.ts';
export { mergeAdapters, mergedModel } from './nn/mergeAdapters.ts';
export { packedInputs, packSequences } from './nn/packing.ts';
export type { Precision, WeightStorage } from './nn/precision.ts';
export { type Activation, packedAttention, Transformer, type TransformerConfig } from './nn/transformer.ts';
export { ActionConstraints } from './rl/actionConstraint.ts';
export { type TrainConfig, trainConfigSchema } from './rl/config.ts';
export type {
  ActionBranch,
  EpisodeLevel,
  Neighbour,
  RecordedEpisode,
  RecordedGroup,
  RecordedRow,
  RolloutIndex,
  StepLevel,
} from './rl/credit/record.ts';
export { WhatIf } from './rl/credit/whatIf.ts';
export { type Evaluation, evaluate } from './rl/evaluate.ts';
export {
  type GeneratedText,
  type GenerateTextOptions,
  generateText,
  type TextStream,
} from './rl/generate/generateText.ts';
export type { FinishReason } from './rl/generate/replyText.ts';
export { formatMemoryPlan, type MemoryLimits, type MemoryPlan, memoryProblem, planMemory } from './rl/memoryPlan.ts';
export { type LossToolkit, type PolicyLoss, type PolicyLossFactory, registerPolicyLoss } from './rl/own/policyLoss.ts';
export {
  type OwnTaskSampler,
  registerTaskSampler,
  type SamplerToolkit,
  type TaskSamplerFactory,
} from './rl/own/taskSampler.ts';
export { Policy, tokenizerFor } from './rl/policy.ts';
export { type PolicySource, pretrainedPolicySource, wordPolicySource } from './rl/policySource.ts';
export { presets } from './rl/presets.ts';
export { type Episode, playEpisodes, type RolloutStep } from './rl/rollout.ts';
export type { TaskSampler } from './rl/taskSampler.ts';
export { type Trained, type TrainingEvent, type TrainOptions, train } from './rl/train.ts';
export { type IterationResult, Trainer } from './rl/trainer.ts';
export type { ChatMessage, ChatOptions } from './text/hf/chatTemplate.ts';
export { HfTokenizer } from './text/hf/hfTokenizer.ts';
export { PromptBuilder } from './text/prompt.ts';
export { StopStrings } from './text/stopStrings.ts';
export { StreamDecoder } from './text/streamDecoder.ts';
export { TokenTrie } from './text/tokenTrie.ts';
export { WordTokenizer } from './text/wordTokenizer.ts';

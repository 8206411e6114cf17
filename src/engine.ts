/** `proxmo/engine`: tensors, differentiable ops, programs and optimisers, for any program that computes on a GPU. */
export type { Dtype } from '../kernels/spec.ts';
export { type ErrorCode, ProxmoError } from './base/errors.ts';
export type { AdapterDescription } from './gpu/adapterDescription.ts';
export type { Holder } from './gpu/allocations.ts';
export { type DeviceMemory, GpuContext } from './gpu/context.ts';
export { Tuner, type TunerOptions, type TuningRecord, type TuningStore, type VariantChooser } from './gpu/tuner.ts';
export * as init from './nn/initial.ts';
export {
  createModule,
  loadParameters,
  type Module,
  type ModuleOptions,
  type ParameterTree,
  saveParameters,
  type TensorTree,
} from './nn/module.ts';
export { AdamW, type AdamWOptions } from './nn/optimizer.ts';
export { Sgd, type SgdOptions } from './nn/sgd.ts';
export { minimise, type Optimizer, type OptimizerOptions, type UpdateStep } from './nn/slabUpdate.ts';
export { attention } from './ops/attention.ts';
export { crossEntropy } from './ops/crossEntropy.ts';
export {
  add,
  divide,
  exp,
  gelu,
  geluErf,
  greater,
  log,
  multiply,
  negate,
  type Operand,
  relu,
  scale,
  sigmoid,
  silu,
  sqrt,
  subtract,
  tanh,
  where,
} from './ops/elementwise.ts';
export { embedding, gatherRows } from './ops/embedding.ts';
export { geglu, swiglu } from './ops/gatedLinear.ts';
export { headNorm } from './ops/headNorm.ts';
export { layerNorm } from './ops/layerNorm.ts';
export { linear } from './ops/linear.ts';
export { type MatmulOptions, matmul } from './ops/matmul.ts';
export { mean, mse } from './ops/mean.ts';
export { ppoLoss } from './ops/ppoLoss.ts';
export { dot, norm, type ReduceOptions, sum } from './ops/reduce.ts';
export { rmsNorm } from './ops/rmsNorm.ts';
export { concat, expand, permute, slice, transpose } from './ops/shape.ts';
export { softmax } from './ops/softmax.ts';
export { tokenLogProbs } from './ops/tokenLogProbs.ts';
export { chunkedTokenLogProbs } from './ops/vocabLoss.ts';
export { grad } from './tensor/autograd.ts';
export type { BufferPlace, DeviceBuffer } from './tensor/deviceBuffers.ts';
export {
  Engine,
  type EngineMemory,
  type EngineOptions,
  type HostArray,
  type Inputs,
  type Outputs,
  Program,
  type ProgramSpec,
  type RunOptions,
} from './tensor/engine.ts';
export { accumulate, gatherGradients } from './tensor/gradients.ts';
export { part } from './tensor/part.ts';
export { Random } from './tensor/random.ts';
export { recomputed } from './tensor/recompute.ts';
export { constant, input, type Shape, Tensor } from './tensor/tensor.ts';
export { type ParameterRequest, ParameterSlab, type SlabOptions, Variable } from './tensor/variable.ts';

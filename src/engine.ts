/** `proxmo/engine`: tensors, differentiable ops, programs and optimisers, for any program that computes on a GPU. */
export type { Dtype } from '../kernels/spec.ts';
export { type ErrorCode, ProxmoError } from './base/errors.ts';
export type { AdapterDescription } from './gpu/adapterDescription.ts';
export type { Holder } from './gpu/allocations.ts';
export { type DeviceMemory, GpuContext } from './gpu/context.ts';
export { Tuner, type TunerOptions, type TuningRecord, type TuningStore, type VariantChooser } from './gpu/tuner.ts';
export { AdamW, type AdamWOptions } from './nn/optimizer.ts';
export { attention } from './ops/attention.ts';
export { crossEntropy } from './ops/crossEntropy.ts';
export { add, gelu, geluErf, multiply, scale, silu } from './ops/elementwise.ts';
export { embedding, gatherRows } from './ops/embedding.ts';
export { headNorm } from './ops/headNorm.ts';
export { layerNorm } from './ops/layerNorm.ts';
export { linear } from './ops/linear.ts';
export { type MatmulOptions, matmul } from './ops/matmul.ts';
export { ppoLoss } from './ops/ppoLoss.ts';
export { dot, norm, sum } from './ops/reduce.ts';
export { rmsNorm } from './ops/rmsNorm.ts';
export { softmax } from './ops/softmax.ts';
export { swiglu } from './ops/swiglu.ts';
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
export { recomputed } from './tensor/recompute.ts';
export { constant, input, type Shape, Tensor } from './tensor/tensor.ts';
export { type ParameterRequest, ParameterSlab, type SlabOptions, Variable } from './tensor/variable.ts';

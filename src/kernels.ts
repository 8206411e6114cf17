/** `proxmo/kernels`: writing kernels of one's own, checking, differentiating and timing them. */
export { elementDispatch, elementVariants } from '../kernels/elements.ts';
export { kernels } from '../kernels/index.ts';
export { shader } from '../kernels/shaderLibrary.ts';
export {
  type Access,
  type AdapterProfile,
  ableVariants,
  type BindingSpec,
  type Constants,
  type Dispatch,
  type Dtype,
  defaultVariant,
  defineKernel,
  foldWorkgroups,
  type InPlacePair,
  type KernelCase,
  type KernelSpec,
  type Params,
  type RunnableKernel,
  type Variant,
} from '../kernels/spec.ts';
export type { WgslFile } from '../kernels/wgsl.ts';
export { type Clock, type Timing, type TimingOptions, throughput, timeKernel } from './gpu/benchmark.ts';
export { checkKernel } from './gpu/kernelCheck.ts';
export { type DispatchTiming, Profiler, type ProgramRun, type TimedDispatch } from './gpu/profiler.ts';
export { differentiable, differentiableMany } from './tensor/autograd.ts';
export { type GradientCheck, gradientMismatch } from './tensor/gradientCheck.ts';
export { type LaunchNotes, launch, paddingIndex } from './tensor/tensor.ts';

/** Every kernel there is, and the form of each that works in place. Tests and benches walk this list. */
import { accumulate } from './accumulate.ts';
import { adamW } from './adamW.ts';
import { addColumns, setColumns, takeColumns } from './addColumns.ts';
import { attention } from './attention.ts';
import { attentionBackwardKernels } from './attentionBackward.ts';
import { attentionDecode } from './attentionDecode.ts';
import { attentionExtend } from './attentionExtend.ts';
import { attentionStep } from './attentionStep.ts';
import { broadcast, scaleBy } from './broadcast.ts';
import { castKernels } from './cast.ts';
import { centreRows } from './centreRows.ts';
import { columnSumKernels } from './columnSumReference.ts';
import { copy, copyU32 } from './copy.ts';
import { dropout } from './dropout.ts';
import { elementwiseKernels } from './elementwise.ts';
import { fill } from './fill.ts';
import { gatedLinearKernels } from './gatedLinear.ts';
import { gatherPackedKernels } from './gatherPacked.ts';
import { gatherRowsKernels } from './gatherRows.ts';
import { headNormKernels } from './headNorm.ts';
import { checkedInPlace } from './inPlace.ts';
import { kvAppend } from './kvAppend.ts';
import { kvCopy } from './kvCopy.ts';
import { maskLogits } from './maskLogits.ts';
import { packedMatmulKernels } from './matmulPacked.ts';
import { matmulKernels } from './matmulReference.ts';
import { normKernels } from './norm.ts';
import { normBackwardKernels } from './normBackward.ts';
import { ppoLoss, ppoLossTotals } from './ppoLoss.ts';
import { proximity, proximityMixed } from './proximity.ts';
import { proximityDense } from './proximityDense.ts';
import { reduceKernels } from './reduce.ts';
import { splitHeadsWithRope, splitHeadsWithRopeBackward } from './rope.ts';
import { sample } from './sample.ts';
import { scatterRows } from './scatterRows.ts';
import { sgd } from './sgd.ts';
import { shiftIndices } from './shiftIndices.ts';
import { softmax, softmaxBackward } from './softmax.ts';
import type { KernelSpec } from './spec.ts';
import { stepProductKernels } from './stepProduct.ts';
import { stridedKernels } from './strided.ts';
import { tfidf } from './tfidf.ts';
import { tokenLogProbs, tokenLogProbsBackward } from './tokenLogProbs.ts';
import { trieStep } from './trieStep.ts';
import { vocabChunk, vocabFinish } from './vocabLoss.ts';

const kernelsByHand = [
  attention.f32,
  attention.f16,
  ...attentionBackwardKernels,
  attentionDecode.f32,
  attentionDecode.f16,
  attentionExtend.f32,
  attentionExtend.f16,
  attentionStep.f32,
  attentionStep.f16,
  addColumns,
  setColumns,
  takeColumns,
  dropout.f32,
  dropout.f16,
  ...columnSumKernels,
  copy,
  copyU32,
  ...castKernels,
  ...matmulKernels,
  ...packedMatmulKernels,
  ...stepProductKernels,
  fill,
  kvAppend.f32,
  kvAppend.f16,
  kvCopy.f32,
  kvCopy.f16,
  ...gatherRowsKernels,
  ...Object.values(gatherPackedKernels),
  scatterRows.f32,
  scatterRows.f16,
  centreRows,
  shiftIndices,
  ...headNormKernels,
  ...elementwiseKernels,
  ...stridedKernels,
  tfidf,
  proximity,
  proximityMixed,
  proximityDense,
  ...normKernels,
  ...normBackwardKernels,
  splitHeadsWithRope.f32,
  splitHeadsWithRope.f16,
  splitHeadsWithRopeBackward,
  ...gatedLinearKernels,
  tokenLogProbs,
  tokenLogProbsBackward,
  vocabChunk,
  vocabFinish,
  maskLogits,
  sample,
  trieStep,
  softmax,
  softmaxBackward,
  ...reduceKernels,
  broadcast,
  scaleBy,
  ppoLoss,
  ppoLossTotals,
  accumulate,
  adamW,
  sgd,
] as unknown as readonly KernelSpec[];

/** Every kernel of the library, and the form of each that works in place. */
export const kernels: readonly KernelSpec[] = [
  ...kernelsByHand,
  ...kernelsByHand.flatMap((spec) => checkedInPlace(spec) ?? []),
];

/** Every kernel there is. Tests and benches walk this list. */
import { accumulate } from './accumulate.ts';
import { adamW } from './adamW.ts';
import { addColumns, setColumns, takeColumns } from './addColumns.ts';
import { attention } from './attention.ts';
import { attentionBackwardKernels } from './attentionBackward.ts';
import { attentionDecode } from './attentionDecode.ts';
import { broadcast, scaleBy } from './broadcast.ts';
import { castKernels } from './cast.ts';
import { columnSum, columnSumPair } from './columnSum.ts';
import { copy, copyU32 } from './copy.ts';
import { dropout } from './dropout.ts';
import { elementwiseKernels } from './elementwise.ts';
import { fill } from './fill.ts';
import { gatherRowsKernels } from './gatherRows.ts';
import { headNormKernels } from './headNorm.ts';
import { kvAppend } from './kvAppend.ts';
import { kvCopy } from './kvCopy.ts';
import { maskLogits } from './maskLogits.ts';
import { matmulKernels } from './matmul.ts';
import { normKernels } from './norm.ts';
import { normBackwardKernels } from './normBackward.ts';
import { ppoLoss, ppoLossTotals } from './ppoLoss.ts';
import { proximity } from './proximity.ts';
import { proximityDense } from './proximityDense.ts';
import { reduceKernels } from './reduce.ts';
import { splitHeadsWithRope, splitHeadsWithRopeBackward } from './rope.ts';
import { sample } from './sample.ts';
import { shiftIndices } from './shiftIndices.ts';
import { softmax, softmaxBackward } from './softmax.ts';
import type { KernelSpec } from './spec.ts';
import { swiglu, swigluBackward } from './swiglu.ts';
import { tfidf } from './tfidf.ts';
import { tokenLogProbs, tokenLogProbsBackward } from './tokenLogProbs.ts';
import { trieStep } from './trieStep.ts';
import { vocabChunk, vocabFinish } from './vocabLoss.ts';

export const kernels: readonly KernelSpec[] = [
  attention,
  ...attentionBackwardKernels,
  attentionDecode,
  addColumns,
  setColumns,
  takeColumns,
  dropout,
  columnSum,
  columnSumPair,
  copy,
  copyU32,
  ...castKernels,
  ...matmulKernels,
  fill,
  kvAppend,
  kvCopy,
  ...gatherRowsKernels,
  shiftIndices,
  ...headNormKernels,
  ...elementwiseKernels,
  tfidf,
  proximity,
  proximityDense,
  ...normKernels,
  ...normBackwardKernels,
  splitHeadsWithRope,
  splitHeadsWithRopeBackward,
  swiglu,
  swigluBackward,
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
] as unknown as readonly KernelSpec[];

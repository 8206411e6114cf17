/**
 * Indices that the host knows, checked before a kernel gets them: a token beyond the vocabulary would be read as zeros,
 * or not at all, without a word.
 */
import { ProxmoError } from '../base/errors.ts';
import type { Location } from './planner.ts';
import { paddingIndex, type Step, type Tensor } from './tensor.ts';

/** Some elements of an input hold indices below a number. */
export interface IndexLimit {
  readonly input: string;
  readonly start: number;
  readonly end: number;
  readonly below: number;
  /** The kernel that reads them. */
  readonly reader: string;
}

/**
 * The limits of inputs. Constants are checked at once.
 * @throws {ProxmoError} `data` if a constant is beyond its limit
 */
export function indexLimits(steps: readonly Step[], locate: (tensor: Tensor) => Location): IndexLimit[] {
  const limits = new Map<string, IndexLimit>();
  for (const step of steps) {
    if (step.kind !== 'kernel') continue;
    for (const [binding, below] of Object.entries(step.notes.below ?? {})) {
      const tensor = step.inputs[binding]!;
      const { root, offset } = locate(tensor);
      const { source } = root;
      if (source.kind !== 'input' && source.kind !== 'constant') continue;
      const input = source.kind === 'input' ? source.name : 'a constant';
      const limit = { input, start: offset, end: offset + tensor.size, below, reader: step.spec.name };
      if (source.kind === 'constant') checkIndices(source.data, limit);
      else limits.set(`${input} ${offset} ${tensor.size} ${below}`, limit);
    }
  }
  return [...limits.values()];
}

/** @throws {ProxmoError} `data` if an index is neither below the limit nor `paddingIndex` */
export function checkIndices(values: ArrayLike<number>, { input, start, end, below, reader }: IndexLimit): void {
  for (let at = start; at < end; at++) {
    const value = values[at]!;
    if (value < below || value === paddingIndex) continue;
    throw new ProxmoError(
      'data',
      `element ${at} of ${input} is ${value}, but ${reader} takes indices below ${below}, or ${paddingIndex} for padding.`,
    );
  }
}

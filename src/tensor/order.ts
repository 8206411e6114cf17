/**
 * Steps run in the order in which they were made. What reads storage that a later step updates in place must be made
 * before that step: otherwise a program would read a value that is gone, which is a mistake in the calling code.
 */
import { ProxmoError } from '../base/errors.ts';
import type { Location, PlannedLaunch, Root } from './planner.ts';
import type { Step, Tensor } from './tensor.ts';

/** Elements of a root that a launch writes. */
interface Write {
  readonly start: number;
  readonly end: number;
  readonly tensor: Tensor;
}

/**
 * @param launches before any of them is put in place of another
 * @param outputs what the host reads in the end
 * @throws {ProxmoError} `graph` if a value is read, or updated, after its storage was updated by another step; or if a
 * constant is updated
 */
export function checkOrder(
  launches: readonly PlannedLaunch[],
  outputs: readonly Tensor[],
  locate: (tensor: Tensor) => Location,
): void {
  const writes = new Map<Root, Write[]>();
  const refuseStale = (tensor: Tensor, reader: string) => {
    const { root, offset } = locate(tensor);
    const isStale = writes
      .get(root)
      ?.some(
        ({ start, end, tensor: written }) => start < offset + tensor.size && offset < end && !descends(tensor, written),
      );
    if (!isStale) return;
    throw new ProxmoError(
      'graph',
      `${reader} reads ${nameOf(root)} as it was before an update that runs earlier; use the updated tensor.`,
    );
  };
  for (const { spec, tensors } of launches) {
    const bound = Object.values(spec.bindings).map(({ access }, index) => ({ access, tensor: tensors[index]! }));
    for (const { access, tensor } of bound) if (access !== 'write') refuseStale(before(tensor, access), spec.name);
    for (const { access, tensor } of bound) {
      if (access === 'read') continue;
      const { root, offset } = locate(tensor);
      if (root.source.kind === 'constant') {
        throw new ProxmoError('graph', `${spec.name} updates a constant in place; copy it first.`);
      }
      const known = writes.get(root) ?? [];
      known.push({ start: offset, end: offset + tensor.size, tensor });
      writes.set(root, known);
    }
  }
  for (const tensor of outputs) refuseStale(tensor, 'the end of the program');
}

/** What an updated binding holds before the update. */
function before(tensor: Tensor, access: 'read' | 'readWrite'): Tensor {
  const { source } = tensor;
  return access === 'readWrite' && source.kind === 'step' && source.inPlaceOf ? source.inPlaceOf : tensor;
}

function nameOf({ source, shape, dtype }: Root): string {
  if (source.kind === 'variable') return source.variable.name;
  return source.kind === 'input' ? `the input ${source.name}` : `a value ${dtype} [${shape.join(', ')}]`;
}

/** Whether `tensor` is `ancestor`, or its storage after further updates, or a part of either. */
function descends(tensor: Tensor, ancestor: Tensor): boolean {
  if (tensor === ancestor) return true;
  const { source } = tensor;
  if (source.kind === 'view') return descends(source.of, ancestor);
  if (source.kind !== 'step') return false;
  if (source.step.kind === 'assign') {
    return (
      descends(source.step.target, ancestor) ||
      source.step.parts.some(({ value }) => descends(value, ancestor) || isCopyTarget(ancestor, source.step))
    );
  }
  return source.inPlaceOf !== null && descends(source.inPlaceOf, ancestor);
}

/** Whether a write was made by the copy of an assignment. */
function isCopyTarget(tensor: Tensor, step: Step): boolean {
  return step.kind === 'assign' && tensor.source.kind === 'view' && tensor.source.of === step.target;
}

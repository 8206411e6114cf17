/**
 * Lets kernels write an output into the storage of an input that nothing needs afterwards, where they have a form for
 * it (`KernelSpec.inPlace`). The two then live in one slot, one after the other.
 */
import { inPlaceKernel } from '../../kernels/inPlace.ts';
import type { Location, PlannedLaunch, Root } from './planner.ts';
import type { Tensor } from './tensor.ts';

/** Where a program's values are, before any of them share storage. */
export interface Placement {
  /** What the host reads in the end. */
  readonly outputs: readonly Tensor[];
  /** Where roots lie that are part of others; those that take another's storage are added. */
  readonly placed: Map<Root, Location>;
  readonly locate: (tensor: Tensor) => Location;
}

/**
 * @returns the launches, some of them in place, and the outputs of these: they have no storage of their own any more
 */
export function placeInPlace(launches: readonly PlannedLaunch[], { outputs, placed, locate }: Placement) {
  const rootOf = (tensor: Tensor) => locate(tensor).root;
  const lastUse = new Map<Root, number>();
  launches.forEach(({ tensors }, index) => {
    for (const tensor of tensors) lastUse.set(rootOf(tensor), index);
  });
  for (const tensor of outputs) lastUse.set(rootOf(tensor), launches.length);
  const joined: Root[] = [];
  const planned = launches.map((launch, index): PlannedLaunch => {
    const { spec, tensors } = launch;
    const form = inPlaceKernel(spec);
    if (!form?.inPlaceOf) return launch;
    const names = Object.keys(spec.bindings);
    const [input, output] = [names.indexOf(form.inPlaceOf.input), names.indexOf(form.inPlaceOf.output)];
    const [root, result] = [rootOf(tensors[input]!), tensors[output]!];
    const others = tensors.filter((_, binding) => binding !== input);
    const isFree =
      isIntermediate(root) && lastUse.get(root) === index && others.every((tensor) => rootOf(tensor) !== root);
    if (!isFree || root.size !== result.size || rootOf(result) !== result) return launch;
    placed.set(result, { root, offset: 0 });
    joined.push(result);
    lastUse.set(root, lastUse.get(result) ?? index);
    return { ...launch, spec: form, tensors: others };
  });
  return { launches: planned, joined };
}

/** A value that one step or several write and others read: the host does neither, and it does not outlive the run. */
function isIntermediate({ source: { kind } }: Root): boolean {
  return kind === 'step' || kind === 'scratch';
}

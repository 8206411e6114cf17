/**
 * Plans a program: which steps run, in which order, and where every tensor lives. Intermediate tensors share a few
 * slots by lifetime. A slot is a buffer of its own, because WebGPU forbids reading and writing one buffer in the same
 * dispatch.
 */
import { elementBytes, type Params, type RunnableKernel } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { storedBytes } from '../gpu/hostArrays.ts';
import { type IndexLimit, indexLimits } from './indexLimits.ts';
import { placeInPlace } from './inPlace.ts';
import { checkOrder } from './order.ts';
import { type AssignStep, type KernelStep, type Step, Tensor } from './tensor.ts';
import type { Variable } from './variable.ts';

/** A tensor that owns storage: an input, a constant, a variable's tensor, or a kernel's output. */
export type Root = Tensor;

/** Where a tensor lives: some elements of a root. */
export interface Location {
  readonly root: Root;
  /** In elements. */
  readonly offset: number;
}

/** One kernel launch of the plan. */
export interface PlannedLaunch {
  readonly spec: RunnableKernel;
  readonly params: Params;
  /** The part of the model that it belongs to, for profiles. */
  readonly scope: string;
  /** For each binding, in the spec's order, the tensor that is bound. */
  readonly tensors: readonly Tensor[];
}

export interface Plan {
  readonly launches: readonly PlannedLaunch[];
  /** Bytes of each slot. */
  readonly slots: readonly number[];
  /** Slot of each root that is neither constant, variable, nor written into one. */
  readonly slotOf: ReadonlyMap<Root, number>;
  readonly inputs: readonly Tensor[];
  /** Names of inputs that ops were given and no kernel reads. */
  readonly unreadInputs: ReadonlySet<string>;
  /** What inputs must keep to that hold indices. */
  readonly limits: readonly IndexLimit[];
  readonly constants: readonly Tensor[];
  readonly variables: readonly Variable[];
  readonly locate: (tensor: Tensor) => Location;
  readonly memory: MemoryReport;
}

/** Bytes of intermediate tensors. */
export interface MemoryReport {
  /** What the slots take. */
  readonly planned: number;
  /** What it would take without sharing. */
  readonly sum: number;
  /** The most that is alive at one time: no plan can take less. */
  readonly lowerBound: number;
}

export function plan(outputs: readonly Tensor[], updates: readonly Tensor[]): Plan {
  const targets = [...outputs, ...updates];
  const steps = collectSteps(targets);
  const placed = placeAssignedValues(steps);
  const locate = (tensor: Tensor): Location => locateTensor(tensor, placed);
  const listed = steps.flatMap((step) => (step.kind === 'kernel' ? [launchOf(step)] : copiesOf(step, locate)));
  checkOrder(listed, outputs, locate);
  const { launches, joined } = placeInPlace(listed, { outputs, placed, locate });
  const roots = collectRoots(launches, targets, locate);
  checkInputNames([...roots]);
  const ofKind = (kind: Tensor['source']['kind']) => [...roots].filter(({ source }) => source.kind === kind);
  return {
    launches,
    inputs: ofKind('input'),
    unreadInputs: unreadInputs(steps, locate),
    limits: indexLimits(steps, locate),
    constants: ofKind('constant'),
    variables: ofKind('variable').flatMap(({ source }) => (source.kind === 'variable' ? [source.variable] : [])),
    locate,
    ...assignSlots(launches, outputs, locate, ofKind('input'), joined),
  };
}

function collectSteps(targets: readonly Tensor[]): Step[] {
  const steps = new Set<Step>();
  const seen = new Set<Tensor>();
  const open = [...targets];
  for (let tensor = open.pop(); tensor; tensor = open.pop()) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    const { source } = tensor;
    if (source.kind === 'view') open.push(source.of);
    if (source.kind !== 'step' || steps.has(source.step)) continue;
    steps.add(source.step);
    open.push(...inputsOf(source.step));
  }
  return [...steps].sort((a, b) => a.id - b.id);
}

function inputsOf(step: Step): readonly Tensor[] {
  return step.kind === 'kernel' ? Object.values(step.inputs) : [step.target, ...step.parts.map(({ value }) => value)];
}

function locateTensor(tensor: Tensor, placed: ReadonlyMap<Root, Location>): Location {
  const { source } = tensor;
  if (source.kind === 'view') {
    const { root, offset } = locateTensor(source.of, placed);
    return { root, offset: offset + source.offset };
  }
  if (source.kind === 'step' && source.inPlaceOf) return locateTensor(source.inPlaceOf, placed);
  return placed.get(tensor) ?? { root: tensor, offset: 0 };
}

/**
 * Lets kernels write assigned values straight into the variable: where the value is the whole output of a kernel, the
 * variable is not read before, and no dispatch would then read and write it at once.
 */
function placeAssignedValues(steps: readonly Step[]): Map<Root, Location> {
  const placed = new Map<Root, Location>();
  const touched = new Set<Root>();
  const readers = readersOf(steps);
  const isIn = (target: Root) => (tensor: Tensor) => locateTensor(tensor, placed).root === target;
  const meets = (root: Root, target: Root) =>
    readers.get(root)?.some((reader) => Object.values(reader.outputs).some(isIn(target))) ||
    (root.source.kind === 'step' && inputsOf(root.source.step).some(isIn(target)));
  for (const step of steps) {
    if (step.kind === 'assign') {
      const target = locateTensor(step.target, placed);
      const roots = step.parts.map(({ value }) => locateTensor(value, placed).root);
      step.parts.forEach(({ offset, value }, index) => {
        const root = roots[index]!;
        const whole = root.source.kind === 'step' && root.size === value.size && !placed.has(root);
        const once = roots.filter((other) => other === root).length === 1;
        if (whole && once && !touched.has(target.root) && !meets(root, target.root))
          placed.set(root, { root: target.root, offset: target.offset + offset });
      });
    } else {
      for (const tensor of [...Object.values(step.inputs), ...Object.values(step.outputs)])
        touched.add(locateTensor(tensor, placed).root);
    }
  }
  return placed;
}

/** The kernels that read each root. */
function readersOf(steps: readonly Step[]): ReadonlyMap<Root, readonly KernelStep[]> {
  const readers = new Map<Root, KernelStep[]>();
  for (const step of steps) {
    if (step.kind !== 'kernel') continue;
    for (const tensor of Object.values(step.inputs)) {
      const { root } = locateTensor(tensor, new Map());
      readers.set(root, [...(readers.get(root) ?? []), step]);
    }
  }
  return readers;
}

function launchOf({ spec, params, scope, inputs, outputs }: KernelStep): PlannedLaunch {
  return { spec, params, scope, tensors: Object.keys(spec.bindings).map((name) => (outputs[name] ?? inputs[name])!) };
}

/** Copies of the assigned values that could not be written in place. */
function copiesOf({ target, parts, copy }: AssignStep, locate: (tensor: Tensor) => Location): PlannedLaunch[] {
  const base = locate(target);
  return parts.flatMap(({ offset, value }) => {
    const at = locate(value);
    if (at.root === base.root && at.offset === base.offset + offset) return [];
    const destination = new Tensor(value.shape, value.dtype, { kind: 'view', of: target, offset });
    const count = wordsOf(value, locate(destination));
    return [{ spec: copy, params: { count }, scope: '', tensors: [value, destination] }];
  });
}

/** How many words of storage a copy of a value writes, which must be whole ones of its own. */
function wordsOf({ dtype, size }: Tensor, { root, offset }: Location): number {
  const bytes = size * elementBytes[dtype];
  if (bytes % 4 !== 0 && offset + size < root.size) {
    throw new ProxmoError(
      'graph',
      `${size} elements of ${dtype} cannot be copied into a larger tensor: they end within a word; assign an even number.`,
    );
  }
  return Math.ceil(bytes / 4);
}

function collectRoots(
  launches: readonly PlannedLaunch[],
  targets: readonly Tensor[],
  locate: (tensor: Tensor) => Location,
): Set<Root> {
  const roots = new Set<Root>();
  for (const { tensors } of launches) for (const tensor of tensors) roots.add(locate(tensor).root);
  for (const tensor of targets) roots.add(locate(tensor).root);
  return roots;
}

function unreadInputs(steps: readonly Step[], locate: (tensor: Tensor) => Location): Set<string> {
  const unread = steps.flatMap((step) => (step.kind === 'kernel' ? (step.notes.unread ?? []) : []));
  return new Set(
    unread.flatMap((tensor) => {
      const { source } = locate(tensor).root;
      return source.kind === 'input' ? [source.name] : [];
    }),
  );
}

function checkInputNames(roots: readonly Root[]): void {
  const names = roots.flatMap(({ source }) => (source.kind === 'input' ? [source.name] : []));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new ProxmoError('graph', `two inputs of the program are called ${twice}; give each a name of its own.`);
}

/** When a root must keep its storage: from the launch that writes it first to the one that reads it last. */
interface Lifetime {
  readonly root: Root;
  readonly bytes: number;
  readonly first: number;
  last: number;
}

function assignSlots(
  launches: readonly PlannedLaunch[],
  outputs: readonly Tensor[],
  locate: (tensor: Tensor) => Location,
  inputs: readonly Tensor[],
  joined: readonly Root[],
): Pick<Plan, 'slots' | 'slotOf' | 'memory'> {
  const lifetimes = new Map<Root, Lifetime>();
  const use = (root: Root, at: number) => {
    const known = lifetimes.get(root);
    if (known) known.last = at;
    else lifetimes.set(root, { root, bytes: bytesOf(root), first: at, last: at });
  };
  // The host writes inputs before the first launch, and reads outputs after the last.
  for (const root of inputs) use(root, -1);
  launches.forEach(({ tensors }, index) => {
    for (const root of tensors.map((tensor) => locate(tensor).root)) {
      if (root.source.kind === 'step' || root.source.kind === 'scratch' || root.source.kind === 'input')
        use(root, index);
    }
  });
  for (const root of outputs.map((tensor) => locate(tensor).root)) if (lifetimes.has(root)) use(root, launches.length);

  const all = [...lifetimes.values()];
  const { slots, slotOf } = shareSlots(all);
  const total = (bytes: readonly number[]) => bytes.reduce((sum, size) => sum + size, 0);
  return {
    slots,
    slotOf,
    memory: {
      planned: total(slots),
      sum: total([...all.map(({ bytes }) => bytes), ...joined.map(bytesOf)]),
      lowerBound: mostAlive(all, launches.length),
    },
  };
}

function bytesOf({ dtype, size }: Root): number {
  return Math.max(16, storedBytes(dtype, size));
}

/**
 * Larger roots choose first, each the smallest slot whose roots all live at other times (Pisarchyk and Lee, arXiv
 * 2001.03288, "greedy by size" for shared objects). So what is kept for long does not take up a slot that was made for
 * something larger.
 */
function shareSlots(lifetimes: readonly Lifetime[]): Pick<Plan, 'slots' | 'slotOf'> {
  const members: Lifetime[][] = [];
  const slotOf = new Map<Root, number>();
  for (const lifetime of [...lifetimes].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    const isFree = (others: readonly Lifetime[]) =>
      others.every(({ first, last }) => last < lifetime.first || lifetime.last < first);
    const found = members.findLastIndex(isFree);
    const slot = found < 0 ? members.push([]) - 1 : found;
    members[slot]!.push(lifetime);
    slotOf.set(lifetime.root, slot);
  }
  return { slots: members.map(([largest]) => largest!.bytes), slotOf };
}

/** The most bytes that are alive during one launch. */
function mostAlive(lifetimes: readonly Lifetime[], launches: number): number {
  const change = new Float64Array(launches + 3);
  for (const { bytes, first, last } of lifetimes) {
    change[first + 1]! += bytes;
    change[last + 2]! -= bytes;
  }
  let [alive, most] = [0, 0];
  for (const bytes of change) {
    alive += bytes;
    most = Math.max(most, alive);
  }
  return most;
}

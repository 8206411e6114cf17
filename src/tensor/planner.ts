/**
 * Plans a program: which steps run, in which order, and where every tensor lives. Intermediate tensors share a few slots by lifetime. A slot is a buffer of its own,
 * because WebGPU forbids reading and writing one buffer in the same dispatch.
 */
import { copy, copyU32 } from '../../kernels/copy.ts';
import type { KernelSpec, Params } from '../../kernels/spec.ts';
import type { AssignStep, KernelStep, Step, Tensor } from './tensor.ts';
import type { Variable } from './variable.ts';

/** A tensor that owns storage: an input, a constant, a variable's tensor, or a kernel's output. */
type Root = Tensor;

/** Where a tensor lives: some elements of a root. */
export interface Location {
  readonly root: Root;
  /** In elements. */
  readonly offset: number;
}

/** One kernel launch of the plan. */
export interface PlannedLaunch {
  readonly spec: KernelSpec;
  readonly params: Params;
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
  const launches = steps.flatMap((step) => (step.kind === 'kernel' ? [launchOf(step)] : copiesOf(step, locate)));
  const roots = collectRoots(launches, targets, locate);
  checkOrder(launches, locate);
  checkInputNames([...roots]);
  const ofKind = (kind: Tensor['source']['kind']) => [...roots].filter(({ source }) => source.kind === kind);
  return {
    launches,
    inputs: ofKind('input'),
    constants: ofKind('constant'),
    variables: ofKind('variable').flatMap(({ source }) => (source.kind === 'variable' ? [source.variable] : [])),
    locate,
    ...assignSlots(launches, outputs, locate, ofKind('input')),
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

/** Lets kernels write assigned values straight into the variable: where the value is the whole output of a kernel and the variable is not read before. */
function placeAssignedValues(steps: readonly Step[]): Map<Root, Location> {
  const placed = new Map<Root, Location>();
  const touched = new Set<Root>();
  for (const step of steps) {
    if (step.kind === 'assign') {
      const target = locateTensor(step.target, placed);
      for (const { offset, value } of step.parts) {
        const { root } = locateTensor(value, placed);
        const whole = root.source.kind === 'step' && root.size === value.size && !placed.has(root);
        if (whole && !touched.has(target.root)) placed.set(root, { root: target.root, offset: target.offset + offset });
      }
    } else {
      for (const tensor of [...Object.values(step.inputs), ...Object.values(step.outputs)]) touched.add(locateTensor(tensor, placed).root);
    }
  }
  return placed;
}

function launchOf({ spec, params, inputs, outputs }: KernelStep): PlannedLaunch {
  return { spec, params, tensors: Object.keys(spec.bindings).map((name) => (outputs[name] ?? inputs[name])!) };
}

/** Copies of the assigned values that could not be written in place. */
function copiesOf({ target, parts }: AssignStep, locate: (tensor: Tensor) => Location): PlannedLaunch[] {
  const base = locate(target);
  return parts.flatMap(({ offset, value }) => {
    const at = locate(value);
    if (at.root === base.root && at.offset === base.offset + offset) return [];
    const destination = target.part(offset, value.shape);
    const spec = (value.dtype === 'f32' ? copy : copyU32) as unknown as KernelSpec;
    return [{ spec, params: { count: value.size }, tensors: [value, destination] }];
  });
}

function collectRoots(launches: readonly PlannedLaunch[], targets: readonly Tensor[], locate: (tensor: Tensor) => Location): Set<Root> {
  const roots = new Set<Root>();
  for (const { tensors } of launches) for (const tensor of tensors) roots.add(locate(tensor).root);
  for (const tensor of targets) roots.add(locate(tensor).root);
  return roots;
}

function checkInputNames(roots: readonly Root[]): void {
  const names = roots.flatMap(({ source }) => (source.kind === 'input' ? [source.name] : []));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`two inputs of the program are called ${twice}; give each a name of its own`);
}

/**
 * Steps run in the order in which they were made, so a tensor must be read before a later step updates its storage in place.
 * Throws if a program would read a value that is gone: that is a mistake in the calling code.
 */
function checkOrder(launches: readonly PlannedLaunch[], locate: (tensor: Tensor) => Location): void {
  const writes: { root: Root; start: number; end: number; tensor: Tensor }[] = [];
  for (const { spec, tensors } of launches) {
    const names = Object.entries(spec.bindings);
    names.forEach(([, { access }], index) => {
      const tensor = tensors[index]!;
      const { root, offset } = locate(tensor);
      if (root.source.kind !== 'variable') return;
      const overlapping = writes.filter((write) => write.root === root && write.start < offset + tensor.size && offset < write.end);
      const stale = access === 'read' && overlapping.find((write) => !descends(tensor, write.tensor));
      if (stale)
        throw new Error(
          `${spec.name} reads ${root.source.variable.name} as it was before an update that runs earlier; use the updated tensor`,
        );
      if (access !== 'read') writes.push({ root, start: offset, end: offset + tensor.size, tensor });
    });
  }
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

function assignSlots(
  launches: readonly PlannedLaunch[],
  outputs: readonly Tensor[],
  locate: (tensor: Tensor) => Location,
  inputs: readonly Tensor[],
): Pick<Plan, 'slots' | 'slotOf' | 'memory'> {
  const lastUse = new Map<Root, number>();
  launches.forEach(({ tensors }, index) => {
    for (const tensor of tensors) lastUse.set(locate(tensor).root, index);
  });
  for (const tensor of outputs) lastUse.set(locate(tensor).root, launches.length);

  const slots = new SlotPool();
  for (const root of inputs) slots.take(root);
  launches.forEach(({ tensors }, index) => {
    const roots = new Set(tensors.map((tensor) => locate(tensor).root));
    for (const root of roots) if (root.source.kind === 'step') slots.take(root);
    for (const root of roots) if (lastUse.get(root) === index) slots.release(root);
  });
  return { slots: slots.sizes, slotOf: slots.slotOf, memory: slots.report() };
}

/** Best fit over slots that grow when nothing fits. */
class SlotPool {
  readonly sizes: number[] = [];
  readonly slotOf = new Map<Root, number>();
  private readonly free = new Set<number>();
  private alive = 0;
  private mostAlive = 0;
  private sum = 0;

  take(root: Root): void {
    if (this.slotOf.has(root)) return;
    const bytes = Math.max(16, root.size * 4);
    const slot = this.best(bytes);
    this.free.delete(slot);
    this.sizes[slot] = Math.max(this.sizes[slot] ?? 0, bytes);
    this.slotOf.set(root, slot);
    this.sum += bytes;
    this.alive += bytes;
    this.mostAlive = Math.max(this.mostAlive, this.alive);
  }

  release(root: Root): void {
    const slot = this.slotOf.get(root);
    if (slot === undefined || this.free.has(slot)) return;
    this.free.add(slot);
    this.alive -= Math.max(16, root.size * 4);
  }

  report(): MemoryReport {
    return { planned: this.sizes.reduce((total, size) => total + size, 0), sum: this.sum, lowerBound: this.mostAlive };
  }

  /** The smallest free slot that is large enough, else the largest free one (it grows), else a new one. */
  private best(bytes: number): number {
    let fitting = -1;
    let largest = -1;
    for (const slot of this.free) {
      const size = this.sizes[slot]!;
      if (size >= bytes && (fitting < 0 || size < this.sizes[fitting]!)) fitting = slot;
      if (largest < 0 || size > this.sizes[largest]!) largest = slot;
    }
    if (fitting >= 0) return fitting;
    return largest >= 0 ? largest : this.sizes.length;
  }
}

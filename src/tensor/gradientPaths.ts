/**
 * Whether gradients can come out right: a loss that depends on a parameter through a step without a backward pass would
 * have a gradient of silent zeros, or a part of one.
 */
import { ProxmoError } from '../base/errors.ts';
import type { Tensor } from './tensor.ts';

/**
 * @throws {ProxmoError} `graph` if a parameter wants no gradient, or the loss depends on one through a step that is not
 * differentiable
 */
export function checkPaths(loss: Tensor, parameters: readonly Tensor[]): void {
  const constant = parameters.find(({ requiresGrad }) => !requiresGrad);
  if (constant) {
    throw new ProxmoError(
      'graph',
      `grad was asked for the gradient of a tensor ${described(constant)} that has none: what it is part of is frozen or an input; set requiresGrad before it is used.`,
    );
  }
  const wanted = new Set(parameters);
  refuseHidden(loss, (tensor) => wanted.has(tensor));
}

/**
 * The same of a part of a graph, whatever its gradient will be wanted for.
 * @throws {ProxmoError} `graph` if it depends on something with `requiresGrad` through a step that is not
 * differentiable
 */
export function checkAllPaths(output: Tensor): void {
  refuseHidden(output, ({ requiresGrad }) => requiresGrad);
}

function refuseHidden(output: Tensor, isWanted: (tensor: Tensor) => boolean): void {
  const found = hiddenReader(endsOf(output), isWanted);
  if (!found) return;
  const [step, read] = [stepOf(found.reader), described(found.read)];
  const isGradient = scopeOf(found.reader).endsWith(backwardSuffix);
  throw new ProxmoError(
    'graph',
    isGradient
      ? `there are no second derivatives: the loss depends on a gradient, by ${step}, which reads a tensor ${read}; use the gradient as an output, or in a step without a gradient of its own.`
      : `grad cannot go through ${step}, on which the loss depends and which reads a tensor ${read}: it has no backward pass; wrap it with differentiable.`,
  );
}

function described({ shape, dtype }: Tensor): string {
  return `${dtype} [${shape.join(', ')}]`;
}

/** Where differentiable ops end: tensors that no op made, but parameters and the like. */
function endsOf(output: Tensor): Tensor[] {
  const ends: Tensor[] = [];
  walk([output], (tensor) => {
    if (tensor.op) return tensor.op.inputs;
    if (!tensor.requiresGrad) ends.push(tensor);
    return [];
  });
  return ends;
}

/** The step that reads what leads to a wanted tensor, among those without a backward pass that made some tensors. */
function hiddenReader(
  ends: readonly Tensor[],
  isWanted: (tensor: Tensor) => boolean,
): { readonly reader: Tensor; readonly read: Tensor } | null {
  let found: { reader: Tensor; read: Tensor } | null = null;
  walk(ends, (reader) => {
    const sources = found ? [] : sourcesOf(reader);
    const read = sources.find((tensor) => tensor.requiresGrad && leadsTo(tensor, isWanted));
    if (read) found = { reader, read };
    return sources.filter(({ requiresGrad }) => !requiresGrad);
  });
  return found;
}

function leadsTo(from: Tensor, isWanted: (tensor: Tensor) => boolean): boolean {
  let leads = false;
  walk([from], (tensor) => {
    leads ||= isWanted(tensor);
    if (leads) return [];
    return tensor.op?.inputs ?? sourcesOf(tensor);
  });
  return leads;
}

/** What a tensor's values are made of. Indices carry no gradient. */
function sourcesOf({ source }: Tensor): readonly Tensor[] {
  if (source.kind === 'view') return [source.of];
  if (source.kind !== 'step') return [];
  const { step } = source;
  const sources =
    step.kind === 'kernel' ? Object.values(step.inputs) : [step.target, ...step.parts.map(({ value }) => value)];
  return sources.filter(({ dtype }) => dtype === 'f32' || dtype === 'f16');
}

/** What the scopes of steps end in that a backward pass made. */
export const backwardSuffix = ' backward';

/** The scope of the step that made a tensor; empty where none did. */
export function scopeOf({ source }: Tensor): string {
  if (source.kind === 'view') return scopeOf(source.of);
  return source.kind === 'step' && source.step.kind === 'kernel' ? source.step.scope : '';
}

function stepOf({ source }: Tensor): string {
  if (source.kind === 'view') return stepOf(source.of);
  return source.kind === 'step' && source.step.kind === 'kernel' ? source.step.spec.name : 'a step';
}

/** Visits each tensor once. @param next those to visit after it */
function walk(start: readonly Tensor[], next: (tensor: Tensor) => readonly Tensor[]): void {
  const seen = new Set<Tensor>();
  const open = [...start];
  for (let tensor = open.pop(); tensor; tensor = open.pop()) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    open.push(...next(tensor));
  }
}

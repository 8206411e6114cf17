/** Reverse-mode differentiation: adds the backward pass of a loss to the same graph. */
import { add } from '../../kernels/elementwise.ts';
import { fill } from '../../kernels/fill.ts';
import { ProxmoError } from '../base/errors.ts';
import { backwardSuffix, checkPaths, scopeOf } from './gradientPaths.ts';
import { inScope } from './scope.ts';
import { launch, type OpRecord, type Shape, sizeOf, type Tensor } from './tensor.ts';

/**
 * Records how gradients flow through an op, and returns its output.
 * @param backward adds the backward pass: from the output's gradient to the inputs' gradients (null for indices and the
 * like)
 */
export function differentiable(
  name: string,
  inputs: readonly Tensor[],
  output: Tensor,
  backward: (gradient: Tensor) => readonly (Tensor | null)[],
): Tensor {
  return differentiableMany(name, inputs, [output], ([gradient]) =>
    gradient ? backward(gradient) : inputs.map(() => null),
  )[0]!;
}

/** `differentiable` for an op with several outputs; the gradient of an output that does not reach the loss is null. */
export function differentiableMany(
  name: string,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  backward: OpRecord['backward'],
): readonly Tensor[] {
  if (inputs.some(({ requiresGrad }) => requiresGrad)) {
    const op: OpRecord = { name, inputs, outputs, backward };
    for (const output of outputs) {
      output.op = op;
      output.requiresGrad = true;
    }
  }
  return outputs;
}

/**
 * Gradients of a loss with respect to parameters, or any tensors with `requiresGrad`. There are no second derivatives.
 * @param loss one element
 * @param seed the gradient that the loss itself has, of one element. Default: 1
 * @returns a tensor of each parameter's shape; zeros where the loss does not depend on it
 * @throws {ProxmoError} `shape` if the loss is not one element; `graph` if a parameter is without `requiresGrad`, or
 * the loss depends on one through a step that has no backward pass
 */
export function grad(loss: Tensor, parameters: readonly Tensor[], seed = filled(loss.shape, 1)): Tensor[] {
  if (loss.size !== 1)
    throw new ProxmoError(
      'shape',
      `grad needs a loss of one element, not [${loss.shape.join(', ')}]; sum or average it first.`,
    );
  checkPaths(loss, parameters);
  const gradients = gradientsOf(loss, seed);
  return parameters.map((parameter) => gradients.get(parameter) ?? filled(parameter.shape, 0));
}

/**
 * The backward pass of an output from its own gradient.
 * @param seed of the output's size
 * @returns gradients of everything with `requiresGrad` that the output depends on, the output included
 */
export function gradientsOf(output: Tensor, seed: Tensor): ReadonlyMap<Tensor, Tensor> {
  const gradients = new Map<Tensor, Tensor>([[output, seed]]);
  for (const op of opsFromOutputToInputs(output)) {
    const incoming = op.outputs.map((output) => gradients.get(output) ?? null);
    if (incoming.every((gradient) => gradient === null)) continue;
    const outgoing = inScope(backwardScope(op), () => op.backward(incoming));
    op.inputs.forEach((tensor, index) => {
      const gradient = outgoing[index];
      if (gradient && tensor.requiresGrad) accumulate(gradients, tensor, gradient, op.name);
    });
  }
  return gradients;
}

/** Gradients belong to the scope of the op that they are of. */
function backwardScope({ name, outputs }: OpRecord): string {
  const scope = outputs[0] ? scopeOf(outputs[0]) : '';
  return `${scope || name}${backwardSuffix}`;
}

/** A tensor with every element equal to `value`. */
export function filled(shape: Shape, value: number): Tensor {
  return launch(fill, { count: sizeOf(shape), value }, {}, { y: shape }).y;
}

function accumulate(gradients: Map<Tensor, Tensor>, tensor: Tensor, gradient: Tensor, opName: string): void {
  if (gradient.size !== tensor.size) {
    throw new Error(
      `the backward pass of ${opName} gave [${gradient.shape.join(', ')}] for an input of [${tensor.shape.join(', ')}]`,
    );
  }
  const known = gradients.get(tensor);
  gradients.set(
    tensor,
    known ? launch(add, { count: tensor.size }, { a: known, b: gradient }, { y: tensor.shape }).y : gradient,
  );
}

/** Every op that the output depends on through tensors with `requiresGrad`, later ones first. */
function opsFromOutputToInputs(output: Tensor): OpRecord[] {
  const found = new Set<OpRecord>();
  const open: Tensor[] = [output];
  for (let tensor = open.pop(); tensor; tensor = open.pop()) {
    if (!tensor.op || found.has(tensor.op)) continue;
    found.add(tensor.op);
    open.push(...tensor.op.inputs);
  }
  const age = (op: OpRecord) => Math.max(...op.outputs.map(({ id }) => id));
  return [...found].sort((a, b) => age(b) - age(a));
}

/**
 * Gradient checkpointing (Chen et al., arXiv 1604.06174): a part of a graph whose intermediate values are computed
 * again in the backward pass and not kept until then.
 */
import { differentiable, gradientsOf } from './autograd.ts';
import { checkAllPaths } from './gradientPaths.ts';
import { Tensor } from './tensor.ts';

/**
 * Builds a part of the graph so that only its input and output outlive it. Its steps run once more when its gradient is
 * computed, with the same values.
 * @param x the part's input; what else `build` reads, as parameters, gets its gradients too
 * @param build must make the same steps each time it is called, and update no storage that is read elsewhere
 * @returns what `build` returns
 * @throws {ProxmoError} `graph` if it depends on what wants a gradient through a step that is not differentiable
 */
export function recomputed(x: Tensor, build: (x: Tensor) => Tensor): Tensor {
  const inner = detached(x);
  const built = build(inner);
  checkAllPaths(built);
  const captured = leavesOf(built).filter((leaf) => leaf !== inner);
  return differentiable('recomputed', [x, ...captured], detached(built, false), (dy) => {
    const again = detached(x);
    const gradients = gradientsOf(build(again), dy);
    return [again, ...captured].map((tensor) => gradients.get(tensor) ?? null);
  });
}

/** The same values as a tensor of its own, where the part's graph begins or ends. */
function detached(x: Tensor, requiresGrad = x.requiresGrad): Tensor {
  const view = new Tensor(x.shape, x.dtype, { kind: 'view', of: x, offset: 0 });
  view.requiresGrad = requiresGrad;
  return view;
}

/** Tensors that want a gradient and were made by no op. */
function leavesOf(output: Tensor): Tensor[] {
  const leaves = new Set<Tensor>();
  const seen = new Set<Tensor>();
  const open = [output];
  for (let tensor = open.pop(); tensor; tensor = open.pop()) {
    if (seen.has(tensor) || !tensor.requiresGrad) continue;
    seen.add(tensor);
    if (tensor.op) open.push(...tensor.op.inputs);
    else leaves.add(tensor);
  }
  return [...leaves];
}

// One step of gradient descent with momentum over a slab, in place (Sutskever et al., ICML 2013), as PyTorch has it:
//   g = gradient · gradientScale · min(1, maxNorm / (norm + 1e-6)) + decay · parameter
//   v = momentum · v + g
//   parameter = parameter − learningRate · v, or with NESTEROV − learningRate · (g + momentum · v)
// `hyperparameters` is [learningRate, gradientScale]; `norm` is the norm of the gradient as it is, and `scaledNorm`
// receives norm · gradientScale. Where that is not finite, nothing else is written. Decay holds for the first
// `decaySize` elements. Elements as in lib/elements.wgsl.
//#include "lib/elements.wgsl"
//#include "lib/clipped_norm.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = workgroupNumber(workgroup, workgroups);
  let learningRate = hyperparameters[0];
  let gradientScale = hyperparameters[1];
  let wholeNorm = norm[0] * gradientScale;
  if (block == 0u && local == 0u) {
    scaledNorm[0] = wholeNorm;
  }
  if (!isFinite(norm[0], gradientScale)) {
    return;
  }
  let gradientFactor = clippingFactor(wholeNorm, gradientScale);
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
    let decay = select(0.0, params.weightDecay, i * WIDTH < params.decaySize);
    let g = gradients[i] * gradientFactor + decay * parameters[i];
    let v = params.momentum * velocity[i] + g;
    parameters[i] -= learningRate * select(v, g + params.momentum * v, params.nesterov == 1u);
    velocity[i] = v;
  }
}

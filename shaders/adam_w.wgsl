// One AdamW step over a slab, in place (Loshchilov and Hutter, arXiv 1711.05101, with decoupled decay as PyTorch):
//   g = gradient · gradientScale · min(1, maxNorm / (norm + 1e-6))
//   m = beta1 · m + (1 − beta1) · g        v = beta2 · v + (1 − beta2) · g²
// parameter = parameter · (1 − learningRate · decay) − learningRate / correction1 · m / (√v / √correction2 + epsilon)
// `hyperparameters` is [learningRate, correction1, correction2, gradientScale] with correction = 1 − beta^step; `norm`
// is the norm of the gradient as it is, and `scaledNorm` receives norm · gradientScale. Where that is not finite,
// nothing else is written. Decay holds for the first `decaySize` elements. Elements as in lib/elements.wgsl.
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
  let gradientScale = hyperparameters[3];
  let wholeNorm = norm[0] * gradientScale;
  if (block == 0u && local == 0u) {
    scaledNorm[0] = wholeNorm;
  }
  if (!isFinite(norm[0], gradientScale)) {
    return;
  }
  let gradientFactor = clippingFactor(wholeNorm, gradientScale);
  let stepSize = learningRate / hyperparameters[1];
  let inverseRoot2 = 1.0 / sqrt(hyperparameters[2]);
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
    let g = gradients[i] * gradientFactor;
    let m = params.beta1 * firstMoment[i] + params.gain1 * g;
    let v = params.beta2 * secondMoment[i] + params.gain2 * g * g;
    let decay = select(0.0, params.weightDecay, i * WIDTH < params.decaySize);
    parameters[i] = parameters[i] * (1.0 - learningRate * decay) - stepSize * m / (sqrt(v) * inverseRoot2 + params.epsilon);
    firstMoment[i] = m;
    secondMoment[i] = v;
  }
}

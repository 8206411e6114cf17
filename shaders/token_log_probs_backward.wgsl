// Gradient of logProb and entropy (token_log_probs.wgsl) in the logits. With p = softmax(z), z = logits / temperature:
//   d logProb / dz[i] = [i is the target] − p[i]            (0 or NaN where the target lies beyond: lib/target.wgsl)
// d entropy / dz[i] = −p[i] · (log p[i] + entropy) The logits are those of `width` tokens from `start` on, of a
// vocabulary of `vocab`. Rows as in lib/row.wgsl; nothing is reduced.
//#include "lib/row.wgsl"
//#include "lib/target.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = rowOf(workgroupNumber(workgroup, workgroups), local);
  if (row >= params.rows) {
    return;
  }
  let width = params.width / WIDTH;
  let start = row * width;
  var hit = dLogProb[row] * params.inverseTemperature;
  if (targets[row] >= params.vocab) {
    hit = beyondVocabulary(targets[row]);
  }
  // A target of another chunk is beyond the width, or wraps around to there.
  let token = targets[row] - params.start;
  let spread = dEntropy[row] * params.inverseTemperature;
  for (var i = laneOf(local); i < width; i += LANES) {
    let logP = logits[start + i] * params.inverseTemperature - logSumExp[row];
    var gradient = -exp(logP) * (hit + spread * (logP + entropy[row]));
//#if VECTOR
    gradient += select(vec4<f32>(0.0), vec4<f32>(hit), vec4<u32>(0u, 1u, 2u, 3u) + 4u * i == vec4<u32>(token));
//#else
    gradient += select(0.0, hit, i == token);
//#endif
    dLogits[start + i] = gradient;
  }
}

// For each row of logits, with z = logits / temperature: logProb = z[target] − log Σ exp(z), the entropy of softmax(z),
// and logSumExp for the backward pass. Targets beyond the row are those of lib/target.wgsl: logProb is 0 or NaN.
// entropy = log Σ − weighted / Σ, with the sums of lib/soft_statistics.wgsl.
//#include "lib/soft_statistics.wgsl"
//#include "lib/target.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = rowOf(workgroupNumber(workgroup, workgroups), local);
  let lane = laneOf(local);
  if (row >= params.rows) {
    return;
  }
  let width = params.width / WIDTH;
  let start = row * width;
  let found = softStatistics(start, width, lane);
  if (lane == 0u) {
    let rowLogSumExp = found.largest + log(found.total);
    let token = targets[row];
    var chosen = rowLogSumExp;
    if (token >= params.width) {
      chosen += beyondVocabulary(token);
    } else {
//#if VECTOR
      chosen = logits[start + token / 4u][token % 4u] * params.inverseTemperature;
//#else
      chosen = logits[start + token] * params.inverseTemperature;
//#endif
    }
    logProb[row] = chosen - rowLogSumExp;
    entropy[row] = log(found.total) - found.weighted / found.total;
    logSumExp[row] = rowLogSumExp;
  }
}

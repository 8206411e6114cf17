// For each row of logits, with z = logits / temperature: logProb = z[target] − log Σ exp(z), the entropy of softmax(z), and logSumExp for the backward pass.
// A target beyond the row gives logProb 0.
// One pass: each lane keeps the largest z it has met, Σ exp(z − largest) and Σ exp(z − largest) · (z − largest), and rescales both sums when a larger z comes
// (Milakov and Gimelshein, arXiv 1805.02867). entropy = log Σ − weighted / Σ. Rows as in lib/row.wgsl.
//#include "lib/row.wgsl"

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
  var laneLargest = -1e30;
  var total = $ELEMENT(0.0);
  var weighted = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    let z = logits[start + i] * params.inverseTemperature;
    let candidate = maxOf(z);
    if (candidate > laneLargest) {
      let shift = laneLargest - candidate;
      let factor = exp(shift);
      weighted = factor * (weighted + total * shift);
      total *= factor;
      laneLargest = candidate;
    }
    let distance = z - laneLargest;
    let weight = exp(distance);
    total += weight;
    weighted += weight * distance;
  }
  let largest = rowMax(laneLargest, lane);
  let shift = laneLargest - largest;
  let factor = exp(shift);
  let rowTotal = rowSum(factor * sumOf(total), lane);
  let rowWeighted = rowSum(factor * (sumOf(weighted) + sumOf(total) * shift), lane);
  if (lane == 0u) {
    let rowLogSumExp = largest + log(rowTotal);
    let token = targets[row];
    var chosen = rowLogSumExp;
    if (token < params.width) {
//#if VECTOR
      chosen = logits[start + token / 4u][token % 4u] * params.inverseTemperature;
//#else
      chosen = logits[start + token] * params.inverseTemperature;
//#endif
    }
    logProb[row] = chosen - rowLogSumExp;
    entropy[row] = log(rowTotal) - rowWeighted / rowTotal;
    logSumExp[row] = rowLogSumExp;
  }
}

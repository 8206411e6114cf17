// Takes a chunk of the vocabulary, logits [rows, width] of the tokens from `start` on, into each row's statistics: state[row] = [largest z, Σ exp(z − largest),
// Σ exp(z − largest) · (z − largest), z of the target], with z = logits / temperature. The first chunk, whose `start` is 0, does not read the state.
// The method is that of token_log_probs.wgsl, carried on from chunk to chunk (Milakov and Gimelshein, arXiv 1805.02867). Rows as in lib/row.wgsl.
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
  let first = row * width;
  var laneLargest = -1e30;
  var total = $ELEMENT(0.0);
  var weighted = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    let z = logits[first + i] * params.inverseTemperature;
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
  let chunkLargest = rowMax(laneLargest, lane);
  let shift = laneLargest - chunkLargest;
  let factor = exp(shift);
  let chunkTotal = rowSum(factor * sumOf(total), lane);
  let chunkWeighted = rowSum(factor * (sumOf(weighted) + sumOf(total) * shift), lane);
  if (lane == 0u) {
    var known = vec4<f32>(-1e30, 0.0, 0.0, 0.0);
    if (params.start > 0u) {
      known = vec4<f32>(state[4u * row], state[4u * row + 1u], state[4u * row + 2u], state[4u * row + 3u]);
    }
    let largest = max(known.x, chunkLargest);
    let knownShift = known.x - largest;
    let chunkShift = chunkLargest - largest;
    let knownFactor = exp(knownShift);
    let chunkFactor = exp(chunkShift);
    state[4u * row] = largest;
    state[4u * row + 1u] = knownFactor * known.y + chunkFactor * chunkTotal;
    state[4u * row + 2u] = knownFactor * (known.z + known.y * knownShift) + chunkFactor * (chunkWeighted + chunkTotal * chunkShift);
    // A target of an earlier chunk wraps around to a number beyond the width.
    let token = targets[row] - params.start;
    if (token < params.width) {
//#if VECTOR
      known.w = logits[first + token / 4u][token % 4u] * params.inverseTemperature;
//#else
      known.w = logits[first + token] * params.inverseTemperature;
//#endif
    }
    state[4u * row + 3u] = known.w;
  }
}

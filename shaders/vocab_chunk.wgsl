// Takes a chunk of the vocabulary, logits [rows, width] of the tokens from `start` on, into each row's statistics:
// state[row] = [largest z, Σ exp(z − largest), Σ exp(z − largest) · (z − largest), z of the target], with z = logits /
// temperature. The first chunk, whose `start` is 0, does not read the state. The method is that of
// token_log_probs.wgsl, carried on from chunk to chunk (Milakov and Gimelshein, arXiv 1805.02867). Rows as in
// lib/row.wgsl.
//#include "lib/soft_statistics.wgsl"

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
  let found = softStatistics(first, width, lane);
  if (lane == 0u) {
    var known = vec4<f32>(-1e30, 0.0, 0.0, 0.0);
    if (params.start > 0u) {
      known = vec4<f32>(state[4u * row], state[4u * row + 1u], state[4u * row + 2u], state[4u * row + 3u]);
    }
    let largest = max(known.x, found.largest);
    let knownShift = known.x - largest;
    let chunkShift = found.largest - largest;
    let knownFactor = exp(knownShift);
    let chunkFactor = exp(chunkShift);
    state[4u * row] = largest;
    state[4u * row + 1u] = knownFactor * known.y + chunkFactor * found.total;
    state[4u * row + 2u] = knownFactor * (known.z + known.y * knownShift) + chunkFactor * (found.weighted + found.total * chunkShift);
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

// What token_log_probs.wgsl writes for each row, from the statistics that vocab_chunk.wgsl gathered over the whole
// vocabulary. One row an invocation.
//#include "lib/grid.wgsl"
//#include "lib/target.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  if (row >= params.rows) {
    return;
  }
  let total = state[4u * row + 1u];
  let rowLogSumExp = state[4u * row] + log(total);
  let token = targets[row];
  if (token < params.vocab) {
    logProb[row] = state[4u * row + 3u] - rowLogSumExp;
  } else {
    logProb[row] = beyondVocabulary(token);
  }
  entropy[row] = log(total) - state[4u * row + 2u] / total;
  logSumExp[row] = rowLogSumExp;
}

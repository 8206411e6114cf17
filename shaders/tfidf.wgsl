// Weights the term counts of a sparse matrix (CSR) and scales its rows to length 1: weights[e] =
// counts[e]·idf[columns[e]] / norm of the row. One row per invocation: rows are short, and neighbours are independent,
// so no barrier is needed. The sum of squares runs in the order of the entries. Entries after the last row are padding;
// the invocations share them out and set them to 0. Rows without entries write nothing.
//#include "lib/grid.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  if (row >= params.documents) {
    return;
  }
  let end = offsets[row + 1u];
  var squares = 0.0;
  for (var entry = offsets[row]; entry < end; entry++) {
    let weight = f32(counts[entry]) * idf[columns[entry]];
    squares += weight * weight;
  }
  let scale = 1.0 / sqrt(squares);
  for (var entry = offsets[row]; entry < end; entry++) {
    weights[entry] = f32(counts[entry]) * idf[columns[entry]] * scale;
  }
  for (var entry = offsets[params.documents] + row; entry < params.entries; entry += params.documents) {
    weights[entry] = 0.0;
  }
}

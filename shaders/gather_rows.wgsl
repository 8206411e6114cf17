// y[row, :] = table[indices[row], :] in float32, or zeros where the index lies beyond the table. Rows of y as in
// lib/row.wgsl; nothing is reduced.
//#include "lib/row.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = rowOf(workgroupNumber(workgroup, workgroups), local);
  if (row >= params.count) {
    return;
  }
  let width = params.width / WIDTH;
  let start = indices[row] * width;
  let isWithin = indices[row] < params.tableRows;
  for (var i = laneOf(local); i < width; i += LANES) {
    if (isWithin) {
      y[row * width + i] = $ELEMENT(table[start + i]);
    } else {
      y[row * width + i] = $ELEMENT(0.0);
    }
  }
}

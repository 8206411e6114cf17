// Puts rows into a table, in place: table[indices[row], :] = x[row, :] in float32, as vec4 where WIDTH is 4. Rows whose
// index lies beyond the table are skipped. One element (or vec4) per invocation.
//#include "lib/grid.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  let width = params.width / WIDTH;
  if (index >= params.count * width) {
    return;
  }
  let row = indices[index / width];
  if (row < params.tableRows) {
    table[row * width + index % width] = $ELEMENT(x[index]);
  }
}

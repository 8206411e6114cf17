// dTable[row, :] = sum of dy[i, :] over the positions i in the row's list (gather_rows_lists.wgsl), in ascending order.
// Rows of dTable as in lib/row.wgsl; nothing is reduced.
//#include "lib/row.wgsl"

const NONE = 0xffffffffu;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = rowOf(workgroupNumber(workgroup, workgroups), local);
  if (row >= params.tableRows) {
    return;
  }
  let width = params.width / WIDTH;
  let first = head[row];
  for (var i = laneOf(local); i < width; i += LANES) {
    var sum = $ELEMENT(0.0);
    for (var at = first; at != NONE; at = next[at]) {
      sum += dy[at * width + i];
    }
    dTable[row * width + i] = sum;
  }
}

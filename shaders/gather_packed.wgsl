// y[row, :] = table[indices[row], :] widened (lib/packed.wgsl), or zeros where the index lies beyond the table. Rows of
// y as in lib/row.wgsl, in quads; nothing is reduced.
//#include "lib/row.wgsl"
//#include "lib/packed.wgsl"

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
  let quads = params.width / 4u;
  let start = indices[row] * packedRowWords(params.width);
  let isWithin = indices[row] < params.tableRows;
  for (var i = laneOf(local); i < quads; i += LANES) {
    if (isWithin) {
      y[row * quads + i] = packedQuad(start, i, params.width);
    } else {
      y[row * quads + i] = vec4<f32>();
    }
  }
}

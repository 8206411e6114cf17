// y = exp(x − largest) / Σ exp(x − largest) for each row. Rows as in lib/row.wgsl.
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
  var candidate = $ELEMENT(-1e30);
  for (var i = lane; i < width; i += LANES) {
    candidate = max(candidate, x[start + i]);
  }
  let largest = rowMax(maxOf(candidate), lane);
  var total = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    total += exp(x[start + i] - largest);
  }
  let inverse = 1.0 / rowSum(sumOf(total), lane);
  for (var i = lane; i < width; i += LANES) {
    y[start + i] = exp(x[start + i] - largest) * inverse;
  }
}

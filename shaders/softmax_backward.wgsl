// Gradient of softmax in its input: dx = y · (dy − Σ dy · y) for each row. Rows as in lib/row.wgsl.
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
  var products = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    products += dy[start + i] * y[start + i];
  }
  let total = rowSum(sumOf(products), lane);
  for (var i = lane; i < width; i += LANES) {
    dx[start + i] = y[start + i] * (dy[start + i] - total);
  }
}

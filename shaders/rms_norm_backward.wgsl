// Gradient of RMSNorm in its input: with g = dy · weight, dx = scale · g − x · scale³ / width · Σ(g · x) for each row.
// With RESIDUAL, x is the sum of the residual stream and `dSum` its gradient from elsewhere, which is added.
// Rows as in lib/row.wgsl.
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
    products += dy[start + i] * weight[i] * x[start + i];
  }
  let rowScale = scale[row];
  let pull = rowSum(sumOf(products), lane) * rowScale * rowScale * rowScale / f32(params.width);
  for (var i = lane; i < width; i += LANES) {
    let gradient = dy[start + i] * weight[i] * rowScale - x[start + i] * pull;
//#if RESIDUAL
    dx[start + i] = gradient + dSum[start + i];
//#else
    dx[start + i] = gradient;
//#endif
  }
}

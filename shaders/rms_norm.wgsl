// y = x · scale · weight for each row, with scale = 1 / √(mean(x²) + epsilon); scale is kept for the backward pass.
// With RESIDUAL, x + residual is normalised, and kept as `sum`.
// Rows as in lib/row.wgsl. Zhang and Sennrich, arXiv 1910.07467.
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
  var squares = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
//#if RESIDUAL
    let value = x[start + i] + residual[start + i];
    sum[start + i] = value;
//#else
    let value = x[start + i];
//#endif
    squares += value * value;
  }
  let rowScale = inverseSqrt(rowSum(sumOf(squares), lane) / f32(params.width) + params.epsilon);
  for (var i = lane; i < width; i += LANES) {
//#if RESIDUAL
    let value = sum[start + i];
//#else
    let value = x[start + i];
//#endif
    y[start + i] = value * rowScale * weight[i];
  }
  if (lane == 0u) {
    scale[row] = rowScale;
  }
}

// Gradient of LayerNorm in its input: with g = dy · weight and n = (x − mean) · scale, dx = scale · (g − mean(g) − n · mean(g · n)) for each row.
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
  let rowMean = mean[row];
  let rowScale = scale[row];
  var total = $ELEMENT(0.0);
  var products = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    let gradient = dy[start + i] * weight[i];
    total += gradient;
    products += gradient * (x[start + i] - rowMean);
  }
  let meanGradient = rowSum(sumOf(total), lane) / f32(params.width);
  let meanProduct = rowSum(sumOf(products), lane) * rowScale / f32(params.width);
  for (var i = lane; i < width; i += LANES) {
    let normed = (x[start + i] - rowMean) * rowScale;
    dx[start + i] = rowScale * (dy[start + i] * weight[i] - meanGradient - normed * meanProduct);
  }
}

// Gradient of head_norm.wgsl in x: with g = dy · weight, dx = scale · g − x · scale³ / headDim · Σ(g · x) for each head
// of queries and keys, dy for values.
//#include "lib/row.wgsl"
//#include "lib/head_norm.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let head = rowOf(workgroupNumber(workgroup, workgroups), local);
  let lane = laneOf(local);
  if (head >= params.rows * headsOfRow()) {
    return;
  }
  let width = params.headDim / WIDTH;
  let start = head * width;
  if (!isValue(head)) {
    var products = $ELEMENT(0.0);
    for (var i = lane; i < width; i += LANES) {
      products += dy[start + i] * weightOf(head, i) * x[start + i];
    }
    let rowScale = scale[head];
    let pull = rowSum(sumOf(products), lane) * rowScale * rowScale * rowScale / f32(params.headDim);
    for (var i = lane; i < width; i += LANES) {
      dx[start + i] = dy[start + i] * weightOf(head, i) * rowScale - x[start + i] * pull;
    }
  } else {
    for (var i = lane; i < width; i += LANES) {
      dx[start + i] = dy[start + i];
    }
  }
}

// Gradient of head_norm.wgsl in x: with g = dy · weight, dx = scale · g − x · scale³ / headDim · Σ(g · x) for each head
// of queries and keys, dy for values.
//#include "lib/row.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = rowOf(workgroupNumber(workgroup, workgroups), local);
  let lane = laneOf(local);
  let allHeads = params.heads + 2u * params.kvHeads;
  if (row >= params.rows * allHeads) {
    return;
  }
  let head = row % allHeads;
  let isQuery = head < params.heads;
  let width = params.headDim / WIDTH;
  let start = row * width;
  if (head < params.heads + params.kvHeads) {
    var products = $ELEMENT(0.0);
    for (var i = lane; i < width; i += LANES) {
      products += dy[start + i] * select(weightK[i], weightQ[i], isQuery) * x[start + i];
    }
    let rowScale = scale[row];
    let pull = rowSum(sumOf(products), lane) * rowScale * rowScale * rowScale / f32(params.headDim);
    for (var i = lane; i < width; i += LANES) {
      dx[start + i] = dy[start + i] * select(weightK[i], weightQ[i], isQuery) * rowScale - x[start + i] * pull;
    }
  } else {
    for (var i = lane; i < width; i += LANES) {
      dx[start + i] = dy[start + i];
    }
  }
}

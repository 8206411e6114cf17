// RMSNorm over each head of the queries and keys of a fused projection x [rows, heads + 2 · kvHeads, headDim]: y = x ·
// scale · weight with scale = 1 / √(mean(x²) + epsilon) over the head's elements. There is a weight for all heads of
// queries and one for all heads of keys. Values stay as they are, with a scale of 1. Scales are kept for the backward
// pass. A "row" of lib/row.wgsl is a head here. As in Qwen3 (arXiv 2505.09388).
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
  var rowScale = 1.0;
  if (!isValue(head)) {
    var squares = $ELEMENT(0.0);
    for (var i = lane; i < width; i += LANES) {
      squares += x[start + i] * x[start + i];
    }
    rowScale = inverseSqrt(rowSum(sumOf(squares), lane) / f32(params.headDim) + params.epsilon);
    for (var i = lane; i < width; i += LANES) {
      y[start + i] = x[start + i] * rowScale * weightOf(head, i);
    }
  } else {
    for (var i = lane; i < width; i += LANES) {
      y[start + i] = x[start + i];
    }
  }
  if (lane == 0u) {
    scale[head] = rowScale;
  }
}

// What the backward pass of attention needs of each query: statistics[row, head] = (lse, delta), delta = Σ dy · y over headDim
// (the D of FlashAttention-2, arXiv 2307.08691, algorithm 2). y, dy: [rows, heads, headDim] as vec4. One invocation per row and head.
//#include "lib/grid.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  if (index >= params.rows * params.heads) {
    return;
  }
  var delta = vec4<f32>(0.0);
  for (var c = 0u; c < HEAD_VECS; c++) {
    delta += dy[index * HEAD_VECS + c] * y[index * HEAD_VECS + c];
  }
  statistics[index] = vec2<f32>(lse[index], dot(delta, vec4<f32>(1.0)));
}

// What the backward pass of attention needs of each query: statistics[row, head] = (lse, delta), delta = Σ dy · y over
// headDim (the D of FlashAttention-2, arXiv 2307.08691, algorithm 2). y, dy: [rows, heads, headDim] as vec4. One
// invocation per row and head; with SHARED one per vector, so that neighbours read neighbours, and the first of a head
// adds up what all found in order.
//#include "lib/grid.wgsl"

//#if SHARED
var<workgroup> found: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  let index = at / HEAD_VECS;
  let isInside = index < params.rows * params.heads;
  found[local] = 0.0;
  if (isInside) {
    found[local] = dot(vec4<f32>(dy[at]), vec4<f32>(y[at]));
  }
  workgroupBarrier();
  if (isInside && local % HEAD_VECS == 0u) {
    var delta = 0.0;
    for (var c = 0u; c < HEAD_VECS; c++) {
      delta += found[local + c];
    }
    statistics[index] = vec2<f32>(lse[index], delta);
  }
}
//#else
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
    delta += dy[index * HEAD_VECS + c] * vec4<f32>(y[index * HEAD_VECS + c]);
  }
  statistics[index] = vec2<f32>(lse[index], dot(delta, vec4<f32>(1.0)));
}
//#endif

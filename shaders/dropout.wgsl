// y[i] = x[i] / keep with probability `keep`, else 0 (Srivastava et al., JMLR 15, 2014). Whether an element is kept
// follows from (seed, stream, i) alone, so the backward pass and a recomputed forward pass draw the same mask. An
// invocation takes four elements, as one Philox block gives four numbers.
//#include "lib/grid.wgsl"
//#include "lib/philox.wgsl"
//#include "lib/stored.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let four = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  if (4u * four >= params.count) {
    return;
  }
  let words = philox(vec4(four, params.stream, 0u, 0u), vec2(seed[0], seed[1]));
  for (var i = 4u * four; i < min(params.count, 4u * four + 4u); i++) {
    y[i] = stored(select(0.0, f32(x[i]) / params.keep, unitInterval(words[i % 4u]) < params.keep));
  }
}

// y = x − start, modulo 2³²: an index below `start` becomes one beyond every table. Elements as in lib/elements.wgsl.
//#include "lib/elements.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = workgroupNumber(workgroup, workgroups);
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
    y[i] = x[i] - $ELEMENT(params.start);
  }
}

// y[i] = value. One element (or one vec4) per invocation.
//#include "lib/grid.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  if (index < params.count / WIDTH) {
    y[index] = $ELEMENT(params.value);
  }
}

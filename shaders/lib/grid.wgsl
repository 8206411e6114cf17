// The number of this workgroup in a grid that was folded into x and y (`foldWorkgroups` in kernels/spec.ts).
fn workgroupNumber(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
  return workgroup.x + workgroup.y * workgroups.x;
}

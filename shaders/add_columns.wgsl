// Some columns of a matrix and a narrower matrix: total[row, start + c] += factor * part[row, c], in place, or = with
// SET; or, with TAKE, part[row, c] = factor * total[row, start + c]. Elements of `part` as in lib/elements.wgsl.
//#include "lib/elements.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = workgroupNumber(workgroup, workgroups);
  let columns = params.columns / WIDTH;
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
    let at = (i / columns) * (params.width / WIDTH) + params.start / WIDTH + i % columns;
//#if TAKE
    part[i] = params.factor * total[at];
//#else
//#if SET
    total[at] = params.factor * part[i];
//#else
    total[at] += params.factor * part[i];
//#endif
//#endif
  }
}

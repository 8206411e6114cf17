// Copies sequences within a KV cache. cacheK, cacheV: [slotCount, capacity, width], as vec4 where WIDTH is 4. For each
// row, positions 0 to lengths[row] − 1 of slot sources[row] go to slot targets[row]; rows with a slot that does not
// exist are skipped. No target may be a source. One element (or vec4) per invocation.
//#include "lib/grid.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  let width = params.width / WIDTH;
  let slotSize = params.capacity * width;
  let row = index / max(slotSize, 1u);
  if (row >= params.rows) {
    return;
  }
  let place = index % slotSize;
  if (place / width >= lengths[row] || sources[row] >= params.slotCount || targets[row] >= params.slotCount) {
    return;
  }
  let origin = sources[row] * slotSize + place;
  let destination = targets[row] * slotSize + place;
  cacheK[destination] = cacheK[origin];
  cacheV[destination] = cacheV[origin];
}

// Puts keys and values into a KV cache, in place. k, v: [rows, width]; cacheK, cacheV: [slotCount, capacity, width], as
// vec4 where WIDTH is 4. Row i goes to position positions[i] of slot slots[i]; rows whose slot or position does not
// exist are skipped. One element (or vec4) per invocation.
//#include "lib/grid.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  let width = params.width / WIDTH;
  if (index >= params.rows * width) {
    return;
  }
  let row = index / width;
  let slot = slots[row];
  let position = positions[row];
  if (slot >= params.slotCount || position >= params.capacity) {
    return;
  }
  let place = (slot * params.capacity + position) * width + index % width;
  cacheK[place] = k[index];
  cacheV[place] = v[index];
}

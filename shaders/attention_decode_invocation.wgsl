// Part of attention_decode.wgsl, without barriers: an invocation takes HEADS_EACH queries of a row that share a key
// head, so that every key it reads serves them all, and walks the keys four at a time.

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let firstQuery = (workgroupNumber(workgroup, workgroups) * WORKGROUP + local) * HEADS_EACH;
  if (firstQuery >= params.rows * params.heads) {
    return;
  }
  let row = firstQuery / params.heads;
  let kvHead = firstQuery % params.heads / (params.heads / params.kvHeads);
  let base = slots[row] * params.capacity;
  let length = lengthOf(row);
  let start = windowStart(vec4(max(length, 1u) - 1u)).x;

//#each h HEADS_EACH
  var query$h: array<vec4<f32>, HEAD_VECS>;
  var sum$h: array<vec4<f32>, HEAD_VECS>;
  var largest$h = NEVER;
  var total$h = 0.0;
//#each c VECTORS
  query$h[$c] = SCALE * vec4<f32>(q[(firstQuery + $h) * HEAD_VECS + $c]);
//#end
//#end
//#include "lib/attention_cached_keys.wgsl"
//#each h HEADS_EACH
//#each c VECTORS
  y[(firstQuery + $h) * HEAD_VECS + $c] = stored(sum$h[$c] / max(total$h, 1e-30));
//#end
//#end
}

// Attention of one new token per sequence over a KV cache, without barriers: y[b] attends positions 0..lengths[b]−1 of slot slots[b]; a length of 0 gives zeros.
//
// q, y: [batch, heads, headDim]; cacheK, cacheV: [slotCount, capacity, kvHeads, headDim], all as vec4 along headDim; slots, lengths: [batch].
// An invocation takes one query and walks its keys four at a time. Lengths are cut at the capacity; a slot out of range counts as empty.
// Numerics: float32, softmax online with a running maximum, as in attention.wgsl.
//#include "lib/grid.wgsl"
//#include "lib/attention_tile.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  if (index >= params.batch * params.heads) {
    return;
  }
  let item = index / params.heads;
  let kvHead = index % params.heads / (params.heads / params.kvHeads);
  let slot = slots[item];
  let length = select(0u, min(lengths[item], params.capacity), slot < params.slotCount);

  var query: array<vec4<f32>, HEAD_VECS>;
  var sum: array<vec4<f32>, HEAD_VECS>;
  for (var c = 0u; c < $VECTORS; c++) {
    query[c] = SCALE * q[index * HEAD_VECS + c];
  }
  var largest = NEVER;
  var total = 0.0;
  for (var first = 0u; first < length; first += 4u) {
    let position = vec4<u32>(first) + lanes;
    let place = ((slot * params.capacity + min(position, vec4<u32>(length - 1u))) * params.kvHeads + kvHead) * HEAD_VECS;
    var score = vec4<f32>(0.0);
    for (var c = 0u; c < $VECTORS; c++) {
      let at = place + c;
      score += query[c] * mat4x4<f32>(cacheK[at.x], cacheK[at.y], cacheK[at.z], cacheK[at.w]);
    }
    let visible = position < vec4<u32>(length);
    score = select(vec4<f32>(NEVER), score, visible);
    let newLargest = max(largest, largestOf(score));
    let weight = select(vec4<f32>(0.0), exp(score - newLargest), visible);
    let shrink = exp(largest - newLargest);
    largest = newLargest;
    total = total * shrink + dot(weight, vec4<f32>(1.0));
    for (var c = 0u; c < $VECTORS; c++) {
      let at = place + c;
      sum[c] = sum[c] * shrink + mat4x4<f32>(cacheV[at.x], cacheV[at.y], cacheV[at.z], cacheV[at.w]) * weight;
    }
  }
  let inverse = 1.0 / max(total, 1e-30);
  for (var c = 0u; c < $VECTORS; c++) {
    y[index * HEAD_VECS + c] = sum[c] * inverse;
  }
}

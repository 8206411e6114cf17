// Attention of one new token per sequence over a KV cache: y[r] attends the last `window` of positions
// 0..lengths[r] − 1 of slot slots[r]; a length of 0 gives zeros.
//
// q, y: [rows, heads, headDim]; cacheK, cacheV: [slotCount, capacity, kvHeads, headDim], all as vec4 along headDim, in
// float32 or f16; slots, lengths: [rows]. Lengths are cut at the capacity; a slot out of range counts as empty.
// Numerics: float32, softmax online with a running maximum, as in attention.wgsl.
//#include "lib/grid.wgsl"
//#include "lib/attention.wgsl"
//#include "lib/stored.wgsl"

// One past the last position that a row attends.
fn lengthOf(row: u32) -> u32 {
  return select(0u, min(lengths[row], params.capacity), slots[row] < params.slotCount);
}

//#if WORKGROUPS
//#include "attention_decode_workgroup.wgsl"
//#else
//#include "attention_decode_invocation.wgsl"
//#endif

// A decoding step's attention. It splits the fused projection of one new token per sequence into heads, turns queries
// and keys by the token's position (as rope.wgsl), and puts its keys and values into the KV cache. Then it attends
// itself and the positions before it, within the window.
//
// qkv: [batch, heads + 2 · kvHeads, headDim]; frequencies: [headDim / 2]; y: [batch, heads, headDim]; cacheK, cacheV:
// [slotCount, capacity, kvHeads, headDim], all as vec4 along headDim, y and the cache in float32 or f16; positions,
// slots: [batch]. A row whose slot or position does not exist gives zeros and puts nothing anywhere. No two rows may
// have one slot. What the step adds to the cache is taken from registers, never read back: so no invocation waits for
// another. Numerics: float32, softmax online with a running maximum, as in attention.wgsl; the new key comes first.
//#include "lib/grid.wgsl"
//#include "lib/attention.wgsl"
//#include "lib/sin_cos.wgsl"
//#include "lib/stored.wgsl"

const HALF_VECS = HEAD_VECS / 2u;

// Whether a row has a place in the cache.
fn hasPlace(item: u32) -> bool {
  return slots[item] < params.slotCount && positions[item] < params.capacity;
}

// Sine and cosine for vector c < HALF_VECS of a head.
fn turnOf(item: u32, c: u32) -> SinCos {
  return sinCos(f32(positions[item]) * frequencies[c]);
}

//#if WORKGROUPS
//#include "attention_step_workgroup.wgsl"
//#else
//#if LANES
//#include "attention_step_lanes.wgsl"
//#else
//#include "attention_step_invocation.wgsl"
//#endif
//#endif

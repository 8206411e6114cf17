// Gradients of attention with respect to keys and values. For key j, over the rows i that attend it (from j to
// segmentEnd[j] − 1, at most `window`) and the heads of its group, dv[j] = Σ p[i,j] dy[i] and dk[j] = Σ p[i,j] (dy[i] ·
// v[j] − delta[i]) q[i] / √headDim. Here p is computed again from lse (FlashAttention-2, arXiv 2307.08691, algorithm
// 2). The sums run in the order of the units (see attention.wgsl).
//
// q, dy: [rows, heads, headDim]; k, v, dk, dv: [rows, kvHeads, headDim], as vec4 along headDim, q, k and v in float32
// or f16; statistics: [rows, heads] of (lse, delta); segmentEnd: [rows], which never falls. A workgroup takes a block
// of neighbouring keys of one head and walks the units from the first key's row to the end of the last key's sequence,
// tile by tile. Tiles have one column per unit and one row per key. Float32.
//#include "lib/grid.wgsl"
//#include "lib/attention.wgsl"

// One past the last row that attends each key.
fn rowEndsOf(key: vec4<u32>) -> vec4<u32> {
  let ends = vec4(segmentEnd[key.x], segmentEnd[key.y], segmentEnd[key.z], segmentEnd[key.w]);
  return key + min(ends - key, vec4(params.window));
}

//#if SUBGROUP
//#include "attention_backward_key_subgroup.wgsl"
//#else
//#include "attention_backward_key_tile.wgsl"
//#endif

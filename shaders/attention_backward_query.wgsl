// Gradient of attention with respect to the queries: dq[i] = Σ_j p[i,j] (dy[i] · v[j] − delta[i]) k[j] / √headDim over
// the keys j that row i attends, with p[i,j] = exp(q[i] · k[j] / √headDim − lse[i]) computed again (FlashAttention-2,
// arXiv 2307.08691, algorithm 2).
//
// q, dy, dq: [rows, heads, headDim]; k, v: [rows, kvHeads, headDim], as vec4 along headDim, q, k and v in float32 or
// f16; statistics: [rows, heads] of (lse, delta); segmentStart: [rows]. A workgroup takes a block of neighbouring units
// and walks the keys, as in attention.wgsl. Float32.
//#include "lib/grid.wgsl"
//#include "lib/attention.wgsl"
//#include "lib/attention_units.wgsl"
//#include "lib/attention_packed_keys.wgsl"

//#if SUBGROUP
//#include "attention_backward_query_subgroup.wgsl"
//#else
//#include "attention_backward_query_tile.wgsl"
//#endif

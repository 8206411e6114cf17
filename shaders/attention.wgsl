// Causal grouped-query attention over packed sequences.
//
// q, y: [rows, heads, headDim]; k, v: [rows, kvHeads, headDim], all as vec4 along headDim, in float32 or f16;
// segmentStart: [rows]; lse: [rows, heads]. Row i attends rows segmentStart[i]..i, of these at most the
// last `window`. Sequences lie one after another, so segmentStart never falls.
//
// The queries of one key head are counted as units: unit u is row u / group, head u % group of the key head's group. A
// workgroup takes a block of neighbouring units and walks the keys from the first that one of them attends to the last,
// tile by tile; what a unit does not attend is masked.
//
// Numerics: float32, softmax online with a running maximum (Milakov and Gimelshein, arXiv 1805.02867; Dao,
// FlashAttention-2, arXiv 2307.08691); lse is the logarithm of the sum of exponentials of a query's scores. A masked
// score never passes through exp as it is: its weight is set to zero.
//#include "lib/grid.wgsl"
//#include "lib/attention.wgsl"
//#include "lib/attention_units.wgsl"
//#include "lib/attention_packed_keys.wgsl"
//#include "lib/stored.wgsl"

fn keepStatistics(query: u32, largest: f32, total: f32) {
  lse[query] = largest + log(total);
}

//#if SUBGROUP
//#include "attention_subgroup.wgsl"
//#else
//#include "attention_tile.wgsl"
//#endif

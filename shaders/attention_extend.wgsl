// Attention of new tokens, many of a sequence, behind what a KV cache holds of it: y[r] attends positions
// 0..positions[r] of slot slots[r], of these at most the last `window`; the row's own key already is there. A slot or
// position that does not exist gives zeros.
//
// q, y: [rows, heads, headDim]; cacheK, cacheV: [slotCount, capacity, kvHeads, headDim], all as vec4 along headDim, in
// float32 or f16; slots, positions: [rows]. Rows of one sequence stand next to each other with rising positions. Units
// and blocks of them are those of attention.wgsl. A block walks the cache once for every sequence that it has rows of,
// from a multiple of STRIDE on, so a row's bits do not depend on what it is packed with. Numerics: as in
// attention.wgsl.
//#include "lib/grid.wgsl"
//#include "lib/attention.wgsl"
//#include "lib/stored.wgsl"

// One past the last position that a row attends.
fn lengthOf(row: u32) -> u32 {
  return select(0u, positions[row] + 1u, slots[row] < params.slotCount && positions[row] < params.capacity);
}

//#if WORKGROUPS
//#include "attention_decode_workgroup.wgsl"
//#else
//#include "lib/attention_units.wgsl"
//#include "lib/attention_walks.wgsl"

// A multiple of the keys that every variant takes at a time.
const STRIDE = 32u;

// The neighbouring rows of one slot.
fn walkFrom(firstRow: u32, lastRow: u32) -> Walk {
  let slot = slots[firstRow];
  var walk = Walk(firstRow, firstRow, firstKeysOf(vec4(firstRow)).x, lengthOf(firstRow), slot * params.capacity);
  while (walk.lastRow < lastRow && slots[walk.lastRow + 1u] == slot) {
    walk.lastRow++;
    walk.keyEnd = max(walk.keyEnd, lengthOf(walk.lastRow));
    walk.firstKey = min(walk.firstKey, firstKeysOf(vec4(walk.lastRow)).x);
  }
  walk.firstKey -= walk.firstKey % STRIDE;
  return walk;
}

fn lengthsOf(row: vec4<u32>) -> vec4<u32> {
  return vec4(lengthOf(row.x), lengthOf(row.y), lengthOf(row.z), lengthOf(row.w));
}

fn firstKeysOf(row: vec4<u32>) -> vec4<u32> {
  return windowStart(max(lengthsOf(row), vec4(1u)) - 1u);
}

fn keyEndsOf(row: vec4<u32>, walk: Walk) -> vec4<u32> {
  return select(vec4(0u), lengthsOf(row), (row >= vec4(walk.firstRow)) & (row <= vec4(walk.lastRow)));
}

fn keyVector(at: u32) -> vec4<f32> {
  return vec4<f32>(cacheK[at]);
}

fn valueVector(at: u32) -> vec4<f32> {
  return vec4<f32>(cacheV[at]);
}

fn keepStatistics(query: u32, largest: f32, total: f32) {}

//#if SUBGROUP
//#include "attention_subgroup.wgsl"
//#else
//#include "attention_tile.wgsl"
//#endif
//#endif

// Attention of new tokens, many of a sequence, behind what a KV cache holds of it: y[r] attends positions
// 0..positions[r] of slot slots[r], where the row's own key already is; a slot or position that does not exist gives
// zeros.
//
// q, y: [rows, heads, headDim]; cacheK, cacheV: [slotCount, capacity, kvHeads, headDim], all as vec4 along headDim, in
// float32 or f16; slots, positions: [rows]. Rows of one sequence stand next to each other with rising positions. Units
// and blocks of them are those of attention.wgsl; a block walks the cache once for every sequence that it has rows of,
// from position 0 on, so a row's bits do not depend on what it is packed with. Numerics: as in attention.wgsl.
//#include "lib/grid.wgsl"
//#include "lib/attention.wgsl"
//#include "lib/stored.wgsl"

// Positions that a row attends.
fn lengthOf(row: u32) -> u32 {
  return select(0u, positions[row] + 1u, slots[row] < params.slotCount && positions[row] < params.capacity);
}

//#if WORKGROUPS
//#include "attention_decode_workgroup.wgsl"
//#else
//#include "lib/attention_units.wgsl"
//#include "lib/attention_walks.wgsl"

// The neighbouring rows of one slot.
fn walkFrom(firstRow: u32, lastRow: u32) -> Walk {
  let slot = slots[firstRow];
  var walk = Walk(firstRow, firstRow, 0u, lengthOf(firstRow), slot * params.capacity);
  while (walk.lastRow < lastRow && slots[walk.lastRow + 1u] == slot) {
    walk.lastRow++;
    walk.keyEnd = max(walk.keyEnd, lengthOf(walk.lastRow));
  }
  return walk;
}

fn firstKeysOf(row: vec4<u32>) -> vec4<u32> {
  return vec4(0u);
}

fn keyEndsOf(row: vec4<u32>, walk: Walk) -> vec4<u32> {
  let lengths = vec4(lengthOf(row.x), lengthOf(row.y), lengthOf(row.z), lengthOf(row.w));
  return select(vec4(0u), lengths, (row >= vec4(walk.firstRow)) & (row <= vec4(walk.lastRow)));
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

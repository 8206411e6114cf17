// Tiles of lib/attention_tiles.wgsl where the workgroup owns a block of units and walks the keys.
//#include "lib/attention_tiles.wgsl"

// Blocks of all key heads.
fn blockCount() -> u32 {
  return params.kvHeads * ((params.rows * (params.heads / params.kvHeads) + BLOCK_ROWS - 1u) / BLOCK_ROWS);
}

// The block of workgroup `number` < blockCount(). The last units of a sequence attend the most keys: they come first,
// so that no long walk begins when the others end.
fn blockFromLast(number: u32) -> Block {
  return blockOf(blockCount() - 1u - number);
}

// Index of element e of the block's tile of queries; units from the last on repeat it.
fn queryIndex(block: Block, chunk: u32, e: u32) -> u32 {
  let unit = min(block.firstUnit + e / CHUNK, block.units - 1u);
  return placeOf(vec4(unit), block).x * HEAD_VECS + chunk * CHUNK + e % CHUNK;
}

// Index of element e of the tile of keys or values from key `first` on; from the walk's end on the last repeats.
fn keyIndex(walk: Walk, kvHead: u32, first: u32, chunk: u32, e: u32) -> u32 {
  return keyPlaceOf(min(first + e / CHUNK, walk.keyEnd - 1u), walk, kvHead) + chunk * CHUNK + e % CHUNK;
}

// Blocks of BLOCK_ROWS neighbouring units: see attention.wgsl. Parameters: rows, heads, kvHeads.

struct Block {
  kvHead: u32,
  // Heads that share a key head.
  group: u32,
  firstUnit: u32,
  // One past the last unit of the key head.
  units: u32,
}

// Block `number` of all key heads; it may lie beyond the last.
fn blockOf(number: u32) -> Block {
  let group = params.heads / params.kvHeads;
  return Block(number % params.kvHeads, group, number / params.kvHeads * BLOCK_ROWS, params.rows * group);
}

// The block's first and last row.
fn firstRowOf(block: Block) -> u32 {
  return block.firstUnit / block.group;
}

fn lastRowOf(block: Block) -> u32 {
  return (min(block.firstUnit + BLOCK_ROWS, block.units) - 1u) / block.group;
}

// Index of units in [rows, heads].
fn placeOf(unit: vec4<u32>, block: Block) -> vec4<u32> {
  return (unit / block.group * params.kvHeads + block.kvHead) * block.group + unit % block.group;
}

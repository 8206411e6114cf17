// Where the words of a packed row lie (kernels/packed.ts).

const GROUP_VALUES = 32u;

fn scaleWords(columns: u32) -> u32 {
  let blocks = columns / (GROUP_VALUES * GROUPS_OF_BLOCK);
//#if Q4_1
  let words = blocks;
//#endif
//#if CENTRED
  let words = (blocks + 1u) / 2u;
//#endif
//#if Q4_K
  let words = 4u * blocks;
//#endif
//#if Q6_K
  let words = 4u * blocks + (blocks + 1u) / 2u;
//#endif
  return (words + 3u) / 4u * 4u;
}

fn packedRowWords(columns: u32) -> u32 {
  return scaleWords(columns) + columns / GROUP_VALUES * BITS;
}

// How a block of units (lib/attention_units.wgsl) walks the keys. A kernel gives the walks of a block, each over some
// of its rows: `walkFrom(firstRow, lastRow)`, from row `firstRow` on and not beyond `lastRow`. In a walk a row attends
// the keys from `firstKeysOf` up to those before `keyEndsOf`: none where the walk is for other rows. Its keys and
// values are `keyVector` and `valueVector`; `keepStatistics` takes what a query's softmax came to.

struct Walk {
  firstRow: u32,
  lastRow: u32,
  // The keys that one of the rows attends: from the first up to the one before the end.
  firstKey: u32,
  keyEnd: u32,
  // Where key 0 is in keys and values, in rows of kvHeads heads.
  base: u32,
}

// Where a key's vectors begin.
fn keyPlaceOf(key: u32, walk: Walk, kvHead: u32) -> u32 {
  return ((walk.base + key) * params.kvHeads + kvHead) * HEAD_VECS;
}

// What head_norm.wgsl and its gradient share. Heads of all rows are counted: heads + 2 · kvHeads a row.

fn headsOfRow() -> u32 {
  return params.heads + 2u * params.kvHeads;
}

fn isValue(head: u32) -> bool {
  return head % headsOfRow() >= params.heads + params.kvHeads;
}

// Element i of the weight of a head of queries or keys.
fn weightOf(head: u32, i: u32) -> $ELEMENT {
  return select(weightK[i], weightQ[i], head % headsOfRow() < params.heads);
}

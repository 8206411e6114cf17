// Which positions read each row of a table, as linked lists: head[row] is the first position i with indices[i] = row, next[i] the one after it, NONE the end.
// Lists ascend. Positions whose index lies beyond the table are in no list.
//
// The rows are dealt out to BUCKETS invocations. Each reads all indices from the last to the first and pushes those of its own rows onto the front of their lists.
// No two invocations write the same word, so no atomics are needed and the order is fixed; memory is linear in both sizes.

const NONE = 0xffffffffu;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let bucket = global.x;
  for (var row = bucket; row < params.tableRows; row += BUCKETS) {
    head[row] = NONE;
  }
  for (var i = params.count; i > 0u; i--) {
    let row = indices[i - 1u];
    if (row % BUCKETS == bucket) {
      if (row < params.tableRows) {
        next[i - 1u] = head[row];
        head[row] = i - 1u;
      } else {
        next[i - 1u] = NONE;
      }
    }
  }
}

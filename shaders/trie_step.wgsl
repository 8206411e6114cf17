// One step down trees of allowed tokens. ranges: [batch, 2] of (start, count), the edges at each row's node: tokens[start] up to tokens[start + count], ascending.
// children: [edges, 2], the range of the node that an edge leads to. after[row] is the range at the end of the edge with the row's token, and empty if there is none.
// One row per invocation, by bisection.

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let row = global.x;
  if (row >= params.batch) {
    return;
  }
  let begin = min(ranges[2u * row], params.edges);
  let end = begin + min(ranges[2u * row + 1u], params.edges - begin);
  let wanted = token[row];
  var low = begin;
  var high = end;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (tokens[middle] < wanted) {
      low = middle + 1u;
    } else {
      high = middle;
    }
  }
  var next = vec2(0u);
  if (low < end && tokens[low] == wanted) {
    next = vec2(children[2u * low], children[2u * low + 1u]);
  }
  after[2u * row] = next.x;
  after[2u * row + 1u] = next.y;
}

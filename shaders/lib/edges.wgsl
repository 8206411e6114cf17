// Edges of trees of allowed tokens: the edges at a node are tokens[start] up to tokens[start + count], ascending, with
// (start, count) = ranges[row].

// First edge of a row's node, and one past its last.
fn edgesAt(row: u32) -> vec2<u32> {
  let begin = min(ranges[2u * row], params.edges);
  return vec2(begin, begin + min(ranges[2u * row + 1u], params.edges - begin));
}

// The first of these edges whose token is not below `wanted`, by bisection; one past the last if there is none.
fn firstEdgeFrom(edges: vec2<u32>, wanted: u32) -> u32 {
  var low = edges.x;
  var high = edges.y;
  for (var turn = 0u; turn < 32u && low < high; turn++) {
    let middle = (low + high) / 2u;
    if (tokens[middle] < wanted) {
      low = middle + 1u;
    } else {
      high = middle;
    }
  }
  return low;
}

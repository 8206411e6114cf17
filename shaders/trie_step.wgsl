// One step down trees of allowed tokens, from the edges at each row's node (lib/edges.wgsl; ranges: [batch, 2]). In
// children: [edges, 2], the range of the node that an edge leads to. after[row] is the range at the end of the edge
// with the row's token, and empty if there is none. One row per invocation, by bisection.
//#include "lib/edges.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let row = global.x;
  if (row >= params.batch) {
    return;
  }
  let wanted = token[row];
  let edges = edgesAt(row);
  let at = firstEdgeFrom(edges, wanted);
  var next = vec2(0u);
  if (at < edges.y && tokens[at] == wanted) {
    next = vec2(children[2u * at], children[2u * at + 1u]);
  }
  after[2u * row] = next.x;
  after[2u * row + 1u] = next.y;
}

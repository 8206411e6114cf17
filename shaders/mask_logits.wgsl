// Takes the tokens that are not allowed out of logits [rows, width], those of the tokens from `start` on: y = x where
// the token may follow, else `fill`. Row r allows the tokens of its edges (lib/edges.wgsl); a row that allows nothing
// is left as it is. An invocation takes RUN tokens of a row: it looks for its first allowed one by bisection and walks
// on from there.
//#include "lib/grid.wgsl"
//#include "lib/edges.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  let runs = (params.width + RUN - 1u) / RUN;
  if (index >= params.rows * runs) {
    return;
  }
  let row = index / runs;
  let first = (index % runs) * RUN;
  let edges = edgesAt(row);
  let isFree = edges.x == edges.y;
  var at = firstEdgeFrom(edges, params.start + first);
  for (var column = first; column < min(first + RUN, params.width); column++) {
    var isAllowed = isFree;
    if (at < edges.y && tokens[at] == params.start + column) {
      isAllowed = true;
      at++;
    }
    let place = row * params.width + column;
    y[place] = select(params.fill, x[place], isAllowed);
  }
}

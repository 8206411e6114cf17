// Takes the tokens that are not allowed out of logits [rows, width]: y = x where the token may follow, else `fill`.
// Row r allows tokens[start] up to tokens[start + count], ascending, with (start, count) = ranges[r]; a row that allows nothing is left as it is.
// An invocation takes RUN tokens of a row: it looks for its first allowed one by bisection and walks on from there.
//#include "lib/grid.wgsl"

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
  let begin = min(ranges[2u * row], params.edges);
  let end = begin + min(ranges[2u * row + 1u], params.edges - begin);
  let isFree = begin == end;
  var at = begin;
  var high = end;
  while (at < high) {
    let middle = (at + high) / 2u;
    if (tokens[middle] < first) {
      at = middle + 1u;
    } else {
      high = middle;
    }
  }
  for (var token = first; token < min(first + RUN, params.width); token++) {
    var isAllowed = isFree;
    if (at < end && tokens[at] == token) {
      isAllowed = true;
      at++;
    }
    let place = row * params.width + token;
    y[place] = select(params.fill, x[place], isAllowed);
  }
}

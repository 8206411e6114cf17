// y[runs, columns]: sums over runs of rows of x[rows, columns], in fours, in the order of the rows; with PAIR, y2 of x2 as well.
// An invocation sums one column (or four) of one run.
//#include "lib/grid.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let columns = params.columns / WIDTH;
  let across = (columns + WORKGROUP - 1u) / WORKGROUP;
  let number = workgroupNumber(workgroup, workgroups);
  let run = number / across;
  let column = number % across * WORKGROUP + local;
  if (column >= columns || run * params.run >= max(params.rows, 1u)) {
    return;
  }
  let end = min(params.rows, (run + 1u) * params.run);
  var sum = $ELEMENT();
//#if PAIR
  var sum2 = $ELEMENT();
//#endif
  var row = run * params.run;
  // Four rows a step: on software adapters the loop costs more than the sums.
  for (; row + 4u <= end; row += 4u) {
    let at = row * columns + column;
    sum += (x[at] + x[at + columns]) + (x[at + 2u * columns] + x[at + 3u * columns]);
//#if PAIR
    sum2 += (x2[at] + x2[at + columns]) + (x2[at + 2u * columns] + x2[at + 3u * columns]);
//#endif
  }
  for (; row < end; row++) {
    sum += x[row * columns + column];
//#if PAIR
    sum2 += x2[row * columns + column];
//#endif
  }
  y[run * columns + column] = sum;
//#if PAIR
  y2[run * columns + column] = sum2;
//#endif
}

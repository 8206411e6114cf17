// y[runs, columns]: sums over runs of rows of x[rows, columns], in the order of the rows. An invocation sums one column (or four) of one run.
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
  for (var row = run * params.run; row < end; row++) {
    sum += x[row * columns + column];
  }
  y[run * columns + column] = sum;
}

// y[runs, columns]: sums over runs of rows of x[rows, columns], in fours, in the order of the rows; with PAIR, y2 of x2
// as well. A workgroup takes COLUMNS columns (or fours of columns) of one run, and DEPTH invocations share each: number
// d sums the rows d, d + DEPTH, …, and a tree adds their sums.
//#include "lib/grid.wgsl"
//#include "lib/column_sum.wgsl"

@compute @workgroup_size(COLUMNS * DEPTH)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let columns = params.columns / WIDTH;
  let across = (columns + COLUMNS - 1u) / COLUMNS;
  let number = workgroupNumber(workgroup, workgroups);
  let run = number / across;
  let column = number % across * COLUMNS + local % COLUMNS;
  let depth = local / COLUMNS;
  let isInside = column < columns && run * params.run < max(params.rows, 1u);
  let end = select(0u, min(params.rows, (run + 1u) * params.run), isInside);
  var sum = $ELEMENT();
//#if PAIR
  var sum2 = $ELEMENT();
//#endif
  var row = run * params.run + depth;
  // Four rows a step: on software adapters the loop costs more than the sums, and on GPUs four reads are under way at
  // once.
  for (; row + 3u * DEPTH < end; row += 4u * DEPTH) {
    let at = row * columns + column;
    let step = DEPTH * columns;
    sum += (x[at] + x[at + step]) + (x[at + 2u * step] + x[at + 3u * step]);
//#if PAIR
    sum2 += (x2[at] + x2[at + step]) + (x2[at + 2u * step] + x2[at + 3u * step]);
//#endif
  }
  for (; row < end; row += DEPTH) {
    sum += x[row * columns + column];
//#if PAIR
    sum2 += x2[row * columns + column];
//#endif
  }
  sum = sumOverDepths(sum, local);
//#if PAIR
  sum2 = sumOverDepths(sum2, local);
//#endif
  if (isInside && depth == 0u) {
    y[run * columns + column] = sum;
//#if PAIR
    y2[run * columns + column] = sum2;
//#endif
  }
}

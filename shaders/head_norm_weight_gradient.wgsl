// Gradient of head_norm.wgsl's weights, in runs of rows: partial[run, i] = Σ over the run's rows and their heads of dy
// · x · scale, in partialQ over the heads of queries, in partialK over those of keys. A column sum of each follows. A
// workgroup takes COLUMNS elements (or fours of elements) of the two of one run, and DEPTH invocations share each:
// number d sums the rows d, d + DEPTH, …, and a tree adds their sums.
//#include "lib/column_sum.wgsl"

@compute @workgroup_size(COLUMNS * DEPTH)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let elements = params.headDim / WIDTH;
  let column = workgroup.x * COLUMNS + local % COLUMNS;
  let depth = local / COLUMNS;
  let isInside = column < 2u * elements;
  let isQuery = column < elements;
  let i = column % elements;
  let allHeads = params.heads + 2u * params.kvHeads;
  let first = select(params.heads, 0u, isQuery);
  let last = select(params.heads + params.kvHeads, params.heads, isQuery);
  let run = workgroup.y;
  let end = select(0u, min(params.rows, (run + 1u) * params.run), isInside);
  var sum = $ELEMENT();
  for (var row = run * params.run + depth; row < end; row += DEPTH) {
    for (var head = first; head < last; head++) {
      let at = row * allHeads + head;
      sum += dy[at * elements + i] * (x[at * elements + i] * scale[at]);
    }
  }
  sum = sumOverDepths(sum, local);
  if (!isInside || depth > 0u) {
    return;
  }
  if (isQuery) {
    partialQ[run * elements + i] = sum;
  } else {
    partialK[run * elements + i] = sum;
  }
}

// Gradient of head_norm.wgsl's weights, in runs of rows: partial[run, i] = Σ over the run's rows and their heads of dy · x · scale, in partialQ over the heads of queries, in
// partialK over those of keys. A column sum of each follows. An invocation takes element i of either.

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let i = global.x % params.headDim;
  let isQuery = global.x < params.headDim;
  if (global.x >= 2u * params.headDim) {
    return;
  }
  let allHeads = params.heads + 2u * params.kvHeads;
  let first = select(params.heads, 0u, isQuery);
  let last = select(params.heads + params.kvHeads, params.heads, isQuery);
  let end = min(params.rows, (global.y + 1u) * params.run);
  var sum = 0.0;
  for (var row = global.y * params.run; row < end; row++) {
    for (var head = first; head < last; head++) {
      let at = row * allHeads + head;
      sum += dy[at * params.headDim + i] * (x[at * params.headDim + i] * scale[at]);
    }
  }
  if (isQuery) {
    partialQ[global.y * params.headDim + i] = sum;
  } else {
    partialK[global.y * params.headDim + i] = sum;
  }
}

// The totals of ppo_loss.wgsl over all its runs: the first is the loss, the others the statistics. LARGEST is a
// maximum, the others sums. DEPTH invocations share a total: number d takes the runs d, d + DEPTH, … in order, and the
// first adds what they found.

var<workgroup> found: array<f32, TOTALS * DEPTH>;

fn combine(total: u32, a: f32, b: f32) -> f32 {
  return select(a + b, max(a, b), total == LARGEST);
}

@compute @workgroup_size(TOTALS * DEPTH)
fn main(@builtin(local_invocation_index) local: u32) {
  let total = local % TOTALS;
  var sum = 0.0;
  for (var run = local / TOTALS; run < params.runs; run += DEPTH) {
    sum = combine(total, sum, partial[run * TOTALS + total]);
  }
  found[local] = sum;
  workgroupBarrier();
  if (local >= TOTALS) {
    return;
  }
  for (var depth = 1u; depth < DEPTH; depth++) {
    sum = combine(total, sum, found[depth * TOTALS + total]);
  }
  if (total == 0u) {
    loss[0] = sum;
  } else {
    statistics[total - 1u] = sum;
  }
}

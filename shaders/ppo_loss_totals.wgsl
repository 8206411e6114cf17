// The totals of ppo_loss.wgsl over all its runs: the first is the loss, the others the statistics. One total per invocation, in order; LARGEST is a maximum, the others sums.

const TOTALS = 10u;
const LARGEST = 8u;

@compute @workgroup_size(TOTALS)
fn main(@builtin(local_invocation_index) total: u32) {
  var sum = 0.0;
  for (var run = 0u; run < params.runs; run++) {
    let value = partial[run * TOTALS + total];
    sum = select(sum + value, max(sum, value), total == LARGEST);
  }
  if (total == 0u) {
    loss[0] = sum;
  } else {
    statistics[total - 1u] = sum;
  }
}

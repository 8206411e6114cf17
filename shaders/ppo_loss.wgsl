// The clipped policy loss with a KL term and an entropy bonus (formulas in src/ops/ppoLoss.ts), token by token: the
// loss' slope in each log-probability, and sums over runs of rows of what kernels/ppoLoss.ts lists as `ppoTotals`:
// partial[run, total]. A run is handled as a row of lib/row.wgsl. Tokens of weight 0 count for nothing, whatever they
// hold.
//#include "lib/row.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let run = rowOf(workgroupNumber(workgroup, workgroups), local);
  let lane = laneOf(local);
  let start = run * params.run;
  if (start >= max(params.rows, 1u)) {
    return;
  }
  var totals = array<f32, TOTALS>();
  var largestChange = 0.0;
  for (var row = start + lane; row < min(params.rows, start + params.run); row += LANES) {
    let share = weight[row];
    if (share <= 0.0) {
      slope[row] = 0.0;
      continue;
    }
    // Beyond e^20 a ratio is far outside any clip range, and e^89 would overflow.
    let change = logProb[row] - oldLogProb[row];
    let ratio = exp(clamp(change, -20.0, 20.0));
    let unclipped = -advantage[row] * ratio;
    let clipped = -advantage[row] * clamp(ratio, 1.0 - params.clipLow, 1.0 + params.clipHigh);
    let isClipped = clipped > unclipped;
    let bound = -params.dualClip * advantage[row];
    let isDualClipped = params.dualClip > 0.0 && advantage[row] < 0.0 && max(unclipped, clipped) > bound;
    let policy = select(max(unclipped, clipped), bound, isDualClipped);
    let policySlope = select(unclipped, 0.0, isClipped || isDualClipped);

    let delta = referenceLogProb[row] - logProb[row];
    var kl = -delta;
    var klSlope = 1.0;
    if (params.klEstimator == 2u) {
      kl = 0.5 * delta * delta;
      klSlope = -delta;
    } else if (params.klEstimator == 3u) {
      let power = exp(min(delta, 20.0));
      let estimate = power - delta - 1.0;
      kl = clamp(estimate, -10.0, 10.0);
      klSlope = select(1.0 - power, 0.0, abs(estimate) > 10.0);
    }

    slope[row] = share * (policySlope + params.klCoefficient * klSlope);
    totals[0] += share * (policy + params.klCoefficient * kl - params.entropyCoefficient * entropy[row]);
    totals[1] += share * policy;
    totals[2] += share * kl;
    totals[3] += share * entropy[row];
    totals[4] += select(0.0, share, isClipped);
    totals[5] += select(0.0, share, isDualClipped);
    totals[6] += share * ratio;
    totals[7] += share;
    largestChange = max(largestChange, abs(change));
    totals[9] += 1.0;
  }
//#each t TOTALS
  let total$t = rowSum(totals[$t], lane);
//#end
  let largest = rowMax(largestChange, lane);
  if (lane == 0u) {
//#each t TOTALS
    partial[run * TOTALS + $t] = total$t;
//#end
    partial[run * TOTALS + LARGEST] = largest;
  }
}

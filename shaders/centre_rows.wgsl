// y[row, :] = (x[row, :] − mean) / |x[row, :] − mean|, where the mean is that of the row's group. Groups have `stride`
// rows each, of which the first counts[group] are real; sums[group, :] is the sum of these. The others, and rows that
// differ from the mean by no more than rounding, become zeros: there a direction would be noise. Rows as in
// lib/row.wgsl.
//#include "lib/row.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = rowOf(workgroupNumber(workgroup, workgroups), local);
  let lane = laneOf(local);
  if (row >= params.rows) {
    return;
  }
  let width = params.width / WIDTH;
  let group = row / params.stride;
  let start = row * width;
  let first = group * width;
  let share = 1.0 / f32(max(counts[group], 1u));
  var squares = $ELEMENT(0.0);
  var centredSquares = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    let value = x[start + i];
    let centred = value - sums[first + i] * share;
    squares += value * value;
    centredSquares += centred * centred;
  }
  let whole = rowSum(sumOf(squares), lane);
  let rest = rowSum(sumOf(centredSquares), lane);
  let isReal = row % params.stride < counts[group] && rest > LEAST * whole;
  let factor = select(0.0, inverseSqrt(max(rest, 1e-30)), isReal);
  for (var i = lane; i < width; i += LANES) {
    y[start + i] = (x[start + i] - sums[first + i] * share) * factor;
  }
}

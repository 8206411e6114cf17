// y = (x − mean) · scale · weight + bias for each row, with scale = 1 / √(variance + epsilon); mean and scale are kept for the backward pass.
// The variance is taken around the mean, in a second pass, so that rows far from 0 lose nothing. Rows as in lib/row.wgsl. Ba et al., arXiv 1607.06450.
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
  let start = row * width;
  var total = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    total += x[start + i];
  }
  let rowMean = rowSum(sumOf(total), lane) / f32(params.width);
  var squares = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    let centred = x[start + i] - rowMean;
    squares += centred * centred;
  }
  let rowScale = inverseSqrt(rowSum(sumOf(squares), lane) / f32(params.width) + params.epsilon);
  for (var i = lane; i < width; i += LANES) {
    y[start + i] = (x[start + i] - rowMean) * rowScale * weight[i] + bias[i];
  }
  if (lane == 0u) {
    mean[row] = rowMean;
    scale[row] = rowScale;
  }
}

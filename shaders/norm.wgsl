// LayerNorm (CENTRED; Ba et al., arXiv 1607.06450) and RMSNorm (Zhang and Sennrich, arXiv 1910.07467) of each row. The
// first is y = (x − mean) · scale · weight + bias with scale = 1 / √(variance + epsilon), the second y = x · scale ·
// weight with scale = 1 / √(mean(x²) + epsilon). Mean and scale of each row, or scale alone, are kept for the backward
// pass as `statistics`. With RESIDUAL, x + residual is normalised, and kept as `sum`. The variance is taken around the
// mean, so that rows far from 0 lose nothing. Rows as in lib/row.wgsl; y may be stored in f16.
//#include "lib/row.wgsl"
//#include "lib/stored.wgsl"

//#if LANE_VECTORS

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let width = params.width / 4u;
//#each h LANE_VECTORS
  let column$h = lane + $h * LANES;
  let isInside$h = column$h < width;
  var weight$h = vec4<f32>();
  var bias$h = vec4<f32>();
  if (isInside$h) {
    weight$h = weight[column$h];
//#if CENTRED
    bias$h = bias[column$h];
//#endif
  }
//#end
  let first = workgroupNumber(workgroup, workgroups) * ROWS;
  for (var row = first; row < min(first + ROWS, params.rows); row++) {
    let start = row * width;
    var total = vec4<f32>();
//#each h LANE_VECTORS
    var value$h = vec4<f32>();
    if (isInside$h) {
      value$h = x[start + column$h];
//#if RESIDUAL
      value$h += residual[start + column$h];
      sum[start + column$h] = value$h;
//#endif
    }
    total += value$h;
//#end
//#if CENTRED
    let rowMean = rowSum(sumOf(total), lane) / f32(params.width);
//#each h LANE_VECTORS
    value$h = select(vec4<f32>(), value$h - rowMean, isInside$h);
//#end
//#endif
    var squares = vec4<f32>();
//#each h LANE_VECTORS
    squares += value$h * value$h;
//#end
    let rowScale = inverseSqrt(rowSum(sumOf(squares), lane) / f32(params.width) + params.epsilon);
//#each h LANE_VECTORS
    if (isInside$h) {
      y[start + column$h] = stored(value$h * rowScale * weight$h + bias$h);
    }
//#end
    if (lane == 0u) {
//#if CENTRED
      statistics[row] = vec2(rowMean, rowScale);
//#else
      statistics[row] = rowScale;
//#endif
    }
  }
}

//#else

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
//#if RESIDUAL
  for (var i = lane; i < width; i += LANES) {
    sum[start + i] = x[start + i] + residual[start + i];
  }
//#endif
  var rowMean = 0.0;
//#if CENTRED
  var total = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    total += $VALUES[start + i];
  }
  rowMean = rowSum(sumOf(total), lane) / f32(params.width);
//#endif
  var squares = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    let centred = $VALUES[start + i] - rowMean;
    squares += centred * centred;
  }
  let rowScale = inverseSqrt(rowSum(sumOf(squares), lane) / f32(params.width) + params.epsilon);
  for (var i = lane; i < width; i += LANES) {
    let normed = ($VALUES[start + i] - rowMean) * rowScale;
//#if CENTRED
    y[start + i] = stored(normed * weight[i] + bias[i]);
//#else
    y[start + i] = stored(normed * weight[i]);
//#endif
  }
  if (lane == 0u) {
//#if CENTRED
    statistics[row] = vec2(rowMean, rowScale);
//#else
    statistics[row] = rowScale;
//#endif
  }
}

//#endif

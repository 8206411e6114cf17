// Gradient of LayerNorm (CENTRED) and RMSNorm (norm.wgsl) in their input: with g = dy · weight and n = (x − mean) ·
// scale, dx = scale · (g − mean(g) − n · mean(g · n)) for each row, where RMSNorm has neither mean. With RESIDUAL, x is
// the sum of the residual stream and `dSum` its gradient from elsewhere, which is added. With PARTIALS, a workgroup
// takes a run of `run` rows and also sums their share of the gradients of weight and bias. They are dWeight[run, :] = Σ
// dy · n and dBias[run, :] = Σ dy, in the order of the rows. A column sum of these follows. Rows as in lib/row.wgsl.
//#include "lib/row.wgsl"

struct Statistics {
  mean: f32,
  scale: f32,
}

fn statisticsOf(row: u32) -> Statistics {
//#if CENTRED
  let pair = statistics[row];
  return Statistics(pair.x, pair.y);
//#else
  return Statistics(0.0, statistics[row]);
//#endif
}

//#if LANE_VECTORS

//#if TEAMED
// Gradients of weight and bias that the teams have added so far.
var<workgroup> weightGradients: array<vec4<f32>, LANES * LANE_VECTORS>;
var<workgroup> biasGradients: array<vec4<f32>, LANES * LANE_VECTORS>;
//#endif

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
//#if TEAMED
  let lane = subgroupExclusiveAdd(1u);
  let team = teamOf(local);
//#else
  let lane = local;
  let team = 0u;
//#endif
  let number = workgroupNumber(workgroup, workgroups);
  let width = params.width / 4u;
//#if PARTIALS
  let run = params.run;
//#else
  let run = ROWS;
//#endif
  let first = number * run;
  if (first >= max(params.rows, 1u)) {
    return;
  }
//#each h LANE_VECTORS
  let column$h = lane + $h * LANES;
  let isInside$h = column$h < width;
  var weight$h = vec4<f32>();
  var weightGradient$h = vec4<f32>();
  var biasGradient$h = vec4<f32>();
  if (isInside$h) {
    weight$h = weight[column$h];
  }
//#end
  let end = min(first + run, params.rows);
//#if TEAMED
  // All teams take as many turns; one without a row reads the last one and counts it for nothing.
  for (var turn = first; turn < end; turn += TEAMS) {
    let isRow = turn + team < end;
    let row = min(turn + team, end - 1u);
//#else
  for (var row = first; row < end; row++) {
    let isRow = true;
//#endif
    let start = row * width;
    let ofRow = statisticsOf(row);
    var total = vec4<f32>();
    var products = vec4<f32>();
//#each h LANE_VECTORS
    var gradient$h = vec4<f32>();
    var normed$h = vec4<f32>();
    if (isInside$h && isRow) {
      gradient$h = dy[start + column$h];
      normed$h = (x[start + column$h] - ofRow.mean) * ofRow.scale;
    }
//#if PARTIALS
    weightGradient$h += gradient$h * normed$h;
    biasGradient$h += gradient$h;
//#endif
    gradient$h *= weight$h;
    total += gradient$h;
    products += gradient$h * normed$h;
//#end
    var meanGradient = 0.0;
//#if CENTRED
    meanGradient = rowSum(sumOf(total), lane) / f32(params.width);
//#endif
    let meanProduct = rowSum(sumOf(products), lane) / f32(params.width);
//#each h LANE_VECTORS
    if (isInside$h && isRow) {
      var value$h = ofRow.scale * (gradient$h - meanGradient - normed$h * meanProduct);
//#if RESIDUAL
      value$h += dSum[start + column$h];
//#endif
      dx[start + column$h] = value$h;
    }
//#end
  }
//#if TEAMED
  for (var turn = 0u; turn < TEAMS; turn++) {
    if (turn == team) {
//#each h LANE_VECTORS
      if (turn > 0u) {
        weightGradient$h += weightGradients[column$h];
        biasGradient$h += biasGradients[column$h];
      }
      weightGradients[column$h] = weightGradient$h;
      biasGradients[column$h] = biasGradient$h;
//#end
    }
    workgroupBarrier();
  }
//#endif
//#if PARTIALS
//#each h LANE_VECTORS
  if (isInside$h && team == TEAMS - 1u) {
    dWeight[number * width + column$h] = weightGradient$h;
//#if CENTRED
    dBias[number * width + column$h] = biasGradient$h;
//#endif
  }
//#end
//#endif
}

//#else

// dx of one row. All lanes must call it.
fn inputGradient(row: u32, lane: u32) {
  let width = params.width / WIDTH;
  let start = row * width;
  let ofRow = statisticsOf(row);
  var total = $ELEMENT(0.0);
  var products = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    let gradient = dy[start + i] * weight[i];
    total += gradient;
    products += gradient * (x[start + i] - ofRow.mean);
  }
  var meanGradient = 0.0;
//#if CENTRED
  meanGradient = rowSum(sumOf(total), lane) / f32(params.width);
//#endif
  let meanProduct = rowSum(sumOf(products), lane) * ofRow.scale / f32(params.width);
  for (var i = lane; i < width; i += LANES) {
    let normed = (x[start + i] - ofRow.mean) * ofRow.scale;
    let gradient = ofRow.scale * (dy[start + i] * weight[i] - meanGradient - normed * meanProduct);
//#if RESIDUAL
    dx[start + i] = gradient + dSum[start + i];
//#else
    dx[start + i] = gradient;
//#endif
  }
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let number = workgroupNumber(workgroup, workgroups);
//#if PARTIALS
  let first = number * params.run;
  let end = min(first + params.run, params.rows);
  if (first >= max(params.rows, 1u)) {
    return;
  }
  for (var row = first; row < end; row++) {
    inputGradient(row, local);
  }
  let width = params.width / WIDTH;
  for (var i = local; i < width; i += LANES) {
    var weightGradient = $ELEMENT(0.0);
    var biasGradient = $ELEMENT(0.0);
    for (var row = first; row < end; row++) {
      let gradient = dy[row * width + i];
      let ofRow = statisticsOf(row);
      weightGradient += gradient * ((x[row * width + i] - ofRow.mean) * ofRow.scale);
      biasGradient += gradient;
    }
    dWeight[number * width + i] = weightGradient;
//#if CENTRED
    dBias[number * width + i] = biasGradient;
//#endif
  }
//#else
  let row = rowOf(number, local);
  if (row >= params.rows) {
    return;
  }
  inputGradient(row, laneOf(local));
//#endif
}

//#endif

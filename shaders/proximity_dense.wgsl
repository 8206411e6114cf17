// Softmax-weighted baselines of ProxMO (arXiv 2602.19225) for dense rows: baseline[i] = Σ_j softmax_j(cos(x_i, x_j) /
// τ) · returns[j], over the rows of i's group, `ranges[i]` = (first row, end), of which i is one. A row with an empty
// range has baseline 0. Only products within a group are computed, and none is stored. Squares are summed beside them,
// so that rows need not be normalised before. Sums run along the features in order.
//
// No row is more similar to another than to itself, so the largest logit is 1/τ, and the softmax needs no running
// maximum: a pair's weight is exp((cos − 1)/τ), the same for both rows. `totals[i]` is the sum of i's weights. A weight
// is at least e⁻⁸⁰: so a row of zeros, whose cosines are all 0, has the mean return as its baseline at any temperature.
//#include "lib/grid.wgsl"

// What makes logits of products: 1/√(squares · τ).
fn factorOf(squares: f32) -> f32 {
  return inverseSqrt(max(squares, 1e-30) * params.temperature);
}

fn weightOf(logit: f32) -> f32 {
  return exp(max(logit - 1.0 / params.temperature, -80.0));
}

// Of the sum of weights and the weighted sum of returns.
fn baselineOf(sums: vec2<f32>) -> f32 {
  return select(0.0, sums.y / max(sums.x, 1e-37), sums.x > 0.0);
}

//#if SUBGROUP
//#include "proximity_dense_subgroup.wgsl"
//#else

// A workgroup of SIDE × SIDE invocations has SIDE queries and walks the keys by SIDE; an invocation has one pair of
// them at a time. Tiles of SIDE features pass through workgroup memory. At the end the sums of a query are added in a
// tree.

var<workgroup> left: array<f32, SIDE * SIDE>;
var<workgroup> right: array<f32, SIDE * SIDE>;
var<workgroup> parts: array<vec2<f32>, SIDE * SIDE>;
var<workgroup> bounds: vec2<u32>;

fn featureOf(row: u32, feature: u32) -> f32 {
  return select(0.0, x[min(row, params.rows - 1u) * params.features + min(feature, params.features - 1u)], feature < params.features);
}

@compute @workgroup_size(SIDE * SIDE)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let firstQuery = workgroupNumber(workgroup, workgroups) * SIDE;
  let row = local / SIDE;
  let column = local % SIDE;
  let query = firstQuery + row;
  let range = select(vec2<u32>(), ranges[min(query, params.rows - 1u)], query < params.rows);
  if (local == 0u) {
    bounds = vec2(params.rows, 0u);
    for (var q = firstQuery; q < min(firstQuery + SIDE, params.rows); q++) {
      if (ranges[q].x < ranges[q].y) {
        bounds = vec2(min(bounds.x, ranges[q].x), max(bounds.y, ranges[q].y));
      }
    }
  }
  let all = workgroupUniformLoad(&bounds);
  var sums = vec2<f32>();
  for (var firstKey = all.x; firstKey < all.y; firstKey += SIDE) {
    var product = 0.0;
    var squares = vec2<f32>();
    for (var feature = 0u; feature < params.features; feature += SIDE) {
      left[local] = featureOf(query, feature + column);
      right[local] = featureOf(firstKey + row, feature + column);
      workgroupBarrier();
      for (var i = 0u; i < SIDE; i++) {
        let a = left[row * SIDE + i];
        let b = right[column * SIDE + i];
        product += a * b;
        squares += vec2(a, b) * vec2(a, b);
      }
      workgroupBarrier();
    }
    let key = firstKey + column;
    if (key >= range.x && key < range.y) {
      sums += weightOf(product * factorOf(squares.x) * factorOf(squares.y)) * vec2(1.0, returns[key]);
    }
  }
  parts[local] = sums;
  workgroupBarrier();
  for (var half = SIDE / 2u; half > 0u; half /= 2u) {
    if (column < half) {
      parts[local] += parts[local + half];
    }
    workgroupBarrier();
  }
  if (column == 0u && query < params.rows) {
    totals[query] = parts[local].x;
    baseline[query] = baselineOf(parts[local]);
  }
}

//#endif

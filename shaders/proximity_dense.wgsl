// Softmax-weighted baselines of ProxMO (arXiv 2602.19225) for dense rows: baseline[i] = Σ_j softmax_j(cos(x_i, x_j) / τ) · returns[j], over the rows of i's group, `ranges[i]` =
// (first row, end). A row with an empty range has baseline 0. Only products within a group are computed, and none is stored: the softmax is online, as in
// flash attention (Dao et al., arXiv 2205.14135). Squares are summed beside the products, so that rows need not be normalised before. Sums run along the
// features in order. Logits start from −1e30 because WGSL need not honour infinities.
//#include "lib/grid.wgsl"

// A running softmax of some keys: the largest logit, and the sum of weights and the weighted sum of returns scaled to it.
struct Softmax {
  largest: f32,
  total: f32,
  sum: f32,
}

const NOTHING = Softmax(-1e30, 0.0, 0.0);

fn baselineOf(total: f32, sum: f32) -> f32 {
  return select(0.0, sum / max(total, 1e-30), total > 0.0);
}

//#if SUBGROUP

// For adapters that run on the CPU: see matmul_subgroup.wgsl. A workgroup is one subgroup of LANES lanes and has QUERIES · LANES queries; it walks the keys by 4 · LANES, four a lane.
// A lane reads QUERIES queries and four keys, four features at a time, and hands the queries to the others by broadcast.

fn logitsOf(product: vec4<f32>, keyFactor: vec4<f32>, queryFactor: f32, key: vec4<u32>, range: vec2<u32>) -> vec4<f32> {
  let isInside = (key >= vec4(range.x)) & (key < vec4(range.y));
  return select(vec4<f32>(-1e30), product * keyFactor * queryFactor, isInside);
}

fn extended(softmax: Softmax, logits: vec4<f32>, value: vec4<f32>) -> Softmax {
  let largest = max(softmax.largest, max(max(logits.x, logits.y), max(logits.z, logits.w)));
  let shrink = exp(softmax.largest - largest);
  let weight = select(vec4<f32>(), exp(logits - largest), logits > vec4<f32>(-1e30));
  return Softmax(largest, softmax.total * shrink + dot(weight, vec4<f32>(1.0)), softmax.sum * shrink + dot(weight, value));
}

// Its loops' bounds come from the lanes' queries and are the same for the whole subgroup, which is the whole workgroup.
@compute @workgroup_size(LANES) @diagnostic(off, subgroup_uniformity)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let lastRow = params.rows - 1u;
  let width = params.features / 4u;
  let firstQuery = workgroupNumber(workgroup, workgroups) * QUERIES * LANES;
  var firstKey = params.rows;
  var endKey = 0u;
//#each q QUERIES
  let query$q = min(firstQuery + $q * LANES + lane, lastRow);
  let range$q = ranges[query$q];
  firstKey = min(firstKey, subgroupMin(select(params.rows, range$q.x, range$q.x < range$q.y)));
  endKey = max(endKey, subgroupMax(range$q.y));
//#each t LANES
  var softmax$q$t = NOTHING;
//#end
//#end
  for (; firstKey < endKey; firstKey += 4u * LANES) {
    let key = firstKey + 4u * lane + vec4<u32>(0u, 1u, 2u, 3u);
    let at = min(key, vec4(lastRow));
    var keySquares = vec4<f32>();
//#each q QUERIES
    var squares$q = 0.0;
//#each t LANES
    var product$q$t = vec4<f32>();
//#end
//#end
    for (var i = 0u; i < width; i++) {
      let place = at * width + i;
      let features = transpose(mat4x4<f32>(x[place.x], x[place.y], x[place.z], x[place.w]));
      keySquares += features[0] * features[0] + features[1] * features[1] + features[2] * features[2] + features[3] * features[3];
//#each q QUERIES
      let own$q = x[query$q * width + i];
      squares$q += dot(own$q, own$q);
//#each t LANES
      product$q$t += features * subgroupBroadcast(own$q, $t);
//#end
//#end
    }
    let keyFactor = inverseSqrt(max(keySquares, vec4<f32>(1e-30)));
    let value = vec4<f32>(returns[at.x], returns[at.y], returns[at.z], returns[at.w]);
//#each q QUERIES
    let factor$q = inverseSqrt(max(squares$q, 1e-30)) / params.temperature;
//#each t LANES
    let logits$q$t = logitsOf(product$q$t, keyFactor, subgroupBroadcast(factor$q, $t), key, subgroupBroadcast(range$q, $t));
    softmax$q$t = extended(softmax$q$t, logits$q$t, value);
//#end
//#end
  }
//#each q QUERIES
//#each t LANES
  let shrink$q$t = exp(softmax$q$t.largest - subgroupMax(softmax$q$t.largest));
  let baseline$q$t = baselineOf(subgroupAdd(softmax$q$t.total * shrink$q$t), subgroupAdd(softmax$q$t.sum * shrink$q$t));
  if (lane == $t && firstQuery + $q * LANES + $t < params.rows) {
    baseline[firstQuery + $q * LANES + $t] = baseline$q$t;
  }
//#end
//#end
}

//#else

// A workgroup of SIDE × SIDE invocations has SIDE queries and walks the keys by SIDE; an invocation has one pair of them at a time. Tiles of SIDE features pass through
// workgroup memory. At the end the partial softmaxes of a query are merged in a tree.

var<workgroup> left: array<f32, SIDE * SIDE>;
var<workgroup> right: array<f32, SIDE * SIDE>;
var<workgroup> parts: array<Softmax, SIDE * SIDE>;
var<workgroup> bounds: vec2<u32>;

fn merged(a: Softmax, b: Softmax) -> Softmax {
  let largest = max(a.largest, b.largest);
  let scaleA = exp(a.largest - largest);
  let scaleB = exp(b.largest - largest);
  return Softmax(largest, a.total * scaleA + b.total * scaleB, a.sum * scaleA + b.sum * scaleB);
}

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
  var softmax = NOTHING;
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
      let logit = product * inverseSqrt(max(squares.x, 1e-30)) * inverseSqrt(max(squares.y, 1e-30)) / params.temperature;
      softmax = merged(softmax, Softmax(logit, 1.0, returns[key]));
    }
  }
  parts[local] = softmax;
  workgroupBarrier();
  for (var half = SIDE / 2u; half > 0u; half /= 2u) {
    if (column < half) {
      parts[local] = merged(parts[local], parts[local + half]);
    }
    workgroupBarrier();
  }
  if (column == 0u && query < params.rows) {
    baseline[query] = baselineOf(parts[local].total, parts[local].sum);
  }
}

//#endif

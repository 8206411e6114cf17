// Gradients of attention with respect to keys and values, without barriers: for key j, over the rows i from j to segmentEnd[j] − 1 and the heads of its group,
// dv[j] = Σ p[i,j] dy[i] and dk[j] = Σ p[i,j] (dy[i] · v[j] − delta[i]) q[i] / √headDim, with p computed again from lse
// (FlashAttention-2, arXiv 2307.08691, algorithm 2). The sums run in the order of the units.
//
// q, dy: [rows, heads, headDim]; k, v, dk, dv: [rows, kvHeads, headDim], as vec4; statistics: [rows, heads] of (lse, delta); segmentEnd: [rows].
// An invocation takes four neighbouring keys of a head and walks the units (see attention.wgsl) that attend them, four at a time.
// Tiles have one column per query and one row per key. Float32.
//#include "lib/grid.wgsl"
//#include "lib/attention_tile.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let invocation = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  let group = params.heads / params.kvHeads;
  let kvHead = invocation % params.kvHeads;
  let firstKey = invocation / params.kvHeads * 4u;
  if (firstKey >= params.rows) {
    return;
  }
  let lastRow = vec4<u32>(params.rows - 1u);
  let key = min(vec4<u32>(firstKey) + lanes, lastRow);
  let keyPlace = key * params.kvHeads + kvHead;
  let end = min(vec4<u32>(segmentEnd[key.x], segmentEnd[key.y], segmentEnd[key.z], segmentEnd[key.w]), vec4<u32>(params.rows));

  var dKeys: array<mat4x4<f32>, HEAD_VECS>;
  var dValues: array<mat4x4<f32>, HEAD_VECS>;
  var keys: array<mat4x4<f32>, HEAD_VECS>;
  var values: array<mat4x4<f32>, HEAD_VECS>;
  for (var c = 0u; c < $VECTORS; c++) {
    let at = keyPlace * HEAD_VECS + c;
    keys[c] = transpose(mat4x4<f32>(k[at.x], k[at.y], k[at.z], k[at.w]));
    values[c] = transpose(mat4x4<f32>(v[at.x], v[at.y], v[at.z], v[at.w]));
  }
  let unitEnd = largestIndexOf(end) * group;
  for (var firstUnit = firstKey * group; firstUnit < unitEnd; firstUnit += 4u) {
    let unit = vec4<u32>(firstUnit) + lanes;
    let place = unitPlace(min(unit, vec4<u32>(unitEnd - 1u)), kvHead, group);
    let row = unit / group;
    let statistic = mat4x2<f32>(statistics[place.x], statistics[place.y], statistics[place.z], statistics[place.w]);
    var score = mat4x4<f32>();
    var dWeight = mat4x4<f32>();
    for (var c = 0u; c < $VECTORS; c++) {
      let at = place * HEAD_VECS + c;
      score += keys[c] * mat4x4<f32>(q[at.x], q[at.y], q[at.z], q[at.w]);
      dWeight += values[c] * mat4x4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
    }
    var weight: mat4x4<f32>;
    var dScore: mat4x4<f32>;
    for (var n = 0u; n < 4u; n++) {
      let visible = (vec4<u32>(row[n]) >= key) & (vec4<u32>(row[n]) < end);
      weight[n] = select(vec4<f32>(0.0), exp(SCALE * score[n] - statistic[n].x), visible);
      dScore[n] = weight[n] * (dWeight[n] - statistic[n].y);
    }
    let byKey = transpose(weight);
    let dByKey = transpose(dScore);
    for (var c = 0u; c < $VECTORS; c++) {
      let at = place * HEAD_VECS + c;
      dKeys[c] += mat4x4<f32>(q[at.x], q[at.y], q[at.z], q[at.w]) * dByKey;
      dValues[c] += mat4x4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]) * byKey;
    }
  }
  for (var n = 0u; n < 4u && firstKey + n < params.rows; n++) {
    for (var c = 0u; c < $VECTORS; c++) {
      dk[keyPlace[n] * HEAD_VECS + c] = SCALE * dKeys[c][n];
      dv[keyPlace[n] * HEAD_VECS + c] = dValues[c][n];
    }
  }
}

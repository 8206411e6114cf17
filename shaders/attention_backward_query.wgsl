// Gradient of attention with respect to the queries, without barriers: dq[i] = Σ_j p[i,j] (dy[i] · v[j] − delta[i]) k[j] / √headDim over the keys j that
// row i attends, with p[i,j] = exp(q[i] · k[j] / √headDim − lse[i]) computed again (FlashAttention-2, arXiv 2307.08691, algorithm 2).
//
// q, dy, dq: [rows, heads, headDim]; k, v: [rows, kvHeads, headDim], as vec4; statistics: [rows, heads] of (lse, delta); segmentStart: [rows].
// An invocation takes four neighbouring units, as in attention.wgsl. Tiles have one column per query and one row per key. Float32.
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
  let units = params.rows * group;
  let kvHead = invocation % params.kvHeads;
  let firstUnit = invocation / params.kvHeads * 4u;
  if (firstUnit >= units) {
    return;
  }
  let unit = min(vec4<u32>(firstUnit) + lanes, vec4<u32>(units - 1u));
  let row = unit / group;
  let place = unitPlace(unit, kvHead, group);
  let start = vec4<u32>(segmentStart[row.x], segmentStart[row.y], segmentStart[row.z], segmentStart[row.w]);
  let statistic = mat4x2<f32>(statistics[place.x], statistics[place.y], statistics[place.z], statistics[place.w]);

  var query: array<mat4x4<f32>, HEAD_VECS>;
  var gradient: array<mat4x4<f32>, HEAD_VECS>;
  var sum: array<mat4x4<f32>, HEAD_VECS>;
  for (var c = 0u; c < $VECTORS; c++) {
    let at = place * HEAD_VECS + c;
    query[c] = SCALE * mat4x4<f32>(q[at.x], q[at.y], q[at.z], q[at.w]);
    gradient[c] = mat4x4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
  }
  let lastKey = row.w;
  for (var firstKey = smallestOf(start); firstKey <= lastKey; firstKey += 4u) {
    let key = vec4<u32>(firstKey) + lanes;
    let keyPlace = (min(key, vec4<u32>(lastKey)) * params.kvHeads + kvHead) * HEAD_VECS;
    var score = mat4x4<f32>();
    var dWeight = mat4x4<f32>();
    for (var c = 0u; c < $VECTORS; c++) {
      let at = keyPlace + c;
      score += transpose(mat4x4<f32>(k[at.x], k[at.y], k[at.z], k[at.w])) * query[c];
      dWeight += transpose(mat4x4<f32>(v[at.x], v[at.y], v[at.z], v[at.w])) * gradient[c];
    }
    var dScore: mat4x4<f32>;
    for (var n = 0u; n < 4u; n++) {
      let visible = (key >= vec4<u32>(start[n])) & (key <= vec4<u32>(row[n]));
      dScore[n] = select(vec4<f32>(0.0), exp(score[n] - statistic[n].x), visible) * (dWeight[n] - statistic[n].y);
    }
    for (var c = 0u; c < $VECTORS; c++) {
      let at = keyPlace + c;
      sum[c] += mat4x4<f32>(k[at.x], k[at.y], k[at.z], k[at.w]) * dScore;
    }
  }
  for (var n = 0u; n < 4u && firstUnit + n < units; n++) {
    for (var c = 0u; c < $VECTORS; c++) {
      dq[place[n] * HEAD_VECS + c] = SCALE * sum[c][n];
    }
  }
}

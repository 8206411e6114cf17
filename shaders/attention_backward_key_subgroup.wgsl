// Part of attention_backward_key.wgsl: see lib/attention_subgroup.wgsl. A lane owns four keys.
//#include "lib/attention_subgroup.wgsl"

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let number = workgroupNumber(workgroup, workgroups);
  let kvHead = number % params.kvHeads;
  let blockKey = number / params.kvHeads * BLOCK_ROWS;
  if (blockKey >= params.rows) {
    return;
  }
  let group = params.heads / params.kvHeads;
  let firstKey = blockKey + 4u * lane;
  let key = min(vec4(firstKey) + firstFour, vec4(params.rows - 1u));
  let keyPlace = key * params.kvHeads + kvHead;
  let end = rowEndsOf(key);

  var keys: array<mat4x4<f32>, HEAD_VECS>;
  var values: array<mat4x4<f32>, HEAD_VECS>;
  var dKeys: array<mat4x4<f32>, HEAD_VECS>;
  var dValues: array<mat4x4<f32>, HEAD_VECS>;
//#each c VECTORS
  let at$c = keyPlace * HEAD_VECS + $c;
  keys[$c] = transpose(mat4x4<f32>(mat4x4(k[at$c.x], k[at$c.y], k[at$c.z], k[at$c.w])));
  values[$c] = transpose(mat4x4<f32>(mat4x4(v[at$c.x], v[at$c.y], v[at$c.z], v[at$c.w])));
//#end
  var query: array<vec4<f32>, HEAD_VECS>;
  var gradient: array<vec4<f32>, HEAD_VECS>;
  let unitEnd = min(rowEndsOf(vec4(min(blockKey + BLOCK_ROWS, params.rows) - 1u)).x, params.rows) * group;
  for (var firstUnit = blockKey * group; firstUnit < unitEnd; firstUnit += LANES) {
    let unit = min(firstUnit + lane, unitEnd - 1u);
    let place = (unit / group * params.kvHeads + kvHead) * group + unit % group;
    let statistic = vec4(statistics[place], 0.0, 0.0);
//#each c VECTORS
    query[$c] = vec4<f32>(q[place * HEAD_VECS + $c]);
    gradient[$c] = dy[place * HEAD_VECS + $c];
//#end
//#each t BROADCASTS
    let row$t = (vec4(firstUnit + 4 * $t) + firstFour) / group;
    let statistic$t = rowsOfLanes$t(statistic);
    var score$t = mat4x4<f32>();
    var dWeight$t = mat4x4<f32>();
//#each c VECTORS
    score$t += keys[$c] * rowsOfLanes$t(query[$c]);
    dWeight$t += values[$c] * rowsOfLanes$t(gradient[$c]);
//#end
    var weight$t: mat4x4<f32>;
    var dScore$t: mat4x4<f32>;
//#each n FOUR
    let visible$t$n = (vec4(row$t[$n]) >= key) & (vec4(row$t[$n]) < end);
    weight$t[$n] = select(vec4(0.0), exp(SCALE * score$t[$n] - statistic$t[$n].x), visible$t$n);
    dScore$t[$n] = weight$t[$n] * (dWeight$t[$n] - statistic$t[$n].y);
//#end
    let byKey$t = transpose(weight$t);
    let dByKey$t = transpose(dScore$t);
//#each c VECTORS
    dKeys[$c] += rowsOfLanes$t(query[$c]) * dByKey$t;
    dValues[$c] += rowsOfLanes$t(gradient[$c]) * byKey$t;
//#end
//#end
  }
//#each n FOUR
  if (firstKey + $n < params.rows) {
//#each c VECTORS
    dk[keyPlace[$n] * HEAD_VECS + $c] = SCALE * dKeys[$c][$n];
    dv[keyPlace[$n] * HEAD_VECS + $c] = dValues[$c][$n];
//#end
  }
//#end
}

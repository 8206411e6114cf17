// Part of attention_backward_query.wgsl: see lib/attention_subgroup.wgsl. A lane owns four units; tiles have one column
// per unit and one row per key.
//#include "lib/attention_subgroup.wgsl"

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let block = blockOf(workgroupNumber(workgroup, workgroups));
  if (block.firstUnit >= block.units) {
    return;
  }
  let firstUnit = block.firstUnit + 4u * lane;
  let unit = min(vec4(firstUnit) + firstFour, vec4(block.units - 1u));
  let row = unit / block.group;
  let place = placeOf(unit, block);
  let walk = walkFrom(firstRowOf(block), lastRowOf(block));
  let firstKeys = firstKeysOf(row);
  let keyEnds = keyEndsOf(row, walk);
  let statistic = mat4x2(statistics[place.x], statistics[place.y], statistics[place.z], statistics[place.w]);

  var query: array<mat4x4<f32>, HEAD_VECS>;
  var gradient: array<mat4x4<f32>, HEAD_VECS>;
  var sum: array<mat4x4<f32>, HEAD_VECS>;
//#each c VECTORS
  let at$c = place * HEAD_VECS + $c;
  query[$c] = SCALE * mat4x4<f32>(mat4x4(q[at$c.x], q[at$c.y], q[at$c.z], q[at$c.w]));
  gradient[$c] = mat4x4(dy[at$c.x], dy[at$c.y], dy[at$c.z], dy[at$c.w]);
//#end
  var key: array<vec4<f32>, HEAD_VECS>;
  var value: array<vec4<f32>, HEAD_VECS>;
  for (var firstKey = walk.firstKey; firstKey < walk.keyEnd; firstKey += LANES) {
    let keyPlace = keyPlaceOf(min(firstKey + lane, walk.keyEnd - 1u), walk, block.kvHead);
//#each c VECTORS
    key[$c] = keyVector(keyPlace + $c);
    value[$c] = valueVector(keyPlace + $c);
//#end
//#each t BROADCASTS
    let keys$t = vec4(firstKey + 4 * $t) + firstFour;
    var score$t = mat4x4<f32>();
    var dWeight$t = mat4x4<f32>();
//#each c VECTORS
    score$t += transpose(rowsOfLanes$t(key[$c])) * query[$c];
    dWeight$t += transpose(rowsOfLanes$t(value[$c])) * gradient[$c];
//#end
    var dScore$t: mat4x4<f32>;
//#each n FOUR
    let visible$t$n = (keys$t >= vec4(firstKeys[$n])) & (keys$t < vec4(keyEnds[$n]));
    dScore$t[$n] = select(vec4(0.0), exp(score$t[$n] - statistic[$n].x), visible$t$n) * (dWeight$t[$n] - statistic[$n].y);
//#end
//#each c VECTORS
    sum[$c] += rowsOfLanes$t(key[$c]) * dScore$t;
//#end
//#end
  }
//#each n FOUR
  if (firstUnit + $n < block.units) {
//#each c VECTORS
    dq[place[$n] * HEAD_VECS + $c] = SCALE * sum[$c][$n];
//#end
  }
//#end
}

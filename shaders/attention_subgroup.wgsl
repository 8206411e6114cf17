// Part of attention.wgsl and attention_extend.wgsl: see lib/attention_subgroup.wgsl. A lane owns four units; tiles of
// scores have one column per unit and one row per key.
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
  let firstKeys = firstKeysOf(row);

  var query: array<mat4x4<f32>, HEAD_VECS>;
  var sum: array<mat4x4<f32>, HEAD_VECS>;
//#each c VECTORS
  let at$c = place * HEAD_VECS + $c;
  query[$c] = SCALE * mat4x4<f32>(mat4x4(q[at$c.x], q[at$c.y], q[at$c.z], q[at$c.w]));
//#end
  var key: array<vec4<f32>, HEAD_VECS>;
  var value: array<vec4<f32>, HEAD_VECS>;
  var largest = vec4(NEVER);
  var total = vec4(0.0);
  let lastRow = lastRowOf(block);
  for (var walkRow = firstRowOf(block); walkRow <= lastRow;) {
    let walk = walkFrom(walkRow, lastRow);
    let keyEnds = keyEndsOf(row, walk);
    walkRow = walk.lastRow + 1u;
    for (var firstKey = walk.firstKey; firstKey < walk.keyEnd; firstKey += LANES) {
      let keyPlace = keyPlaceOf(min(firstKey + lane, walk.keyEnd - 1u), walk, block.kvHead);
//#each c VECTORS
      key[$c] = keyVector(keyPlace + $c);
      value[$c] = valueVector(keyPlace + $c);
//#end
      var newLargest = largest;
//#each t BROADCASTS
      let keys$t = vec4(firstKey + 4 * $t) + firstFour;
      var score$t = mat4x4<f32>();
//#each c VECTORS
      score$t += transpose(rowsOfLanes$t(key[$c])) * query[$c];
//#end
//#each n FOUR
      let visible$t$n = (keys$t >= vec4(firstKeys[$n])) & (keys$t < vec4(keyEnds[$n]));
      score$t[$n] = select(vec4(NEVER), score$t[$n], visible$t$n);
//#end
      newLargest = max(newLargest, largestOfColumns(score$t));
//#end
      let shrink = exp(largest - newLargest);
      largest = newLargest;
      total *= shrink;
//#each c VECTORS
      sum[$c] = scaleColumns(sum[$c], shrink);
//#end
//#each t BROADCASTS
      var weight$t: mat4x4<f32>;
//#each n FOUR
      weight$t[$n] = select(vec4(0.0), exp(score$t[$n] - largest[$n]), visible$t$n);
//#end
      total += vec4(1.0) * weight$t;
//#each c VECTORS
      sum[$c] += rowsOfLanes$t(value[$c]) * weight$t;
//#end
//#end
    }
  }
  total = max(total, vec4(1e-30));
  let inverse = 1.0 / total;
//#each n FOUR
  if (firstUnit + $n < block.units) {
    keepStatistics(place[$n], largest[$n], total[$n]);
//#each c VECTORS
    y[place[$n] * HEAD_VECS + $c] = stored(sum[$c][$n] * inverse[$n]);
//#end
  }
//#end
}

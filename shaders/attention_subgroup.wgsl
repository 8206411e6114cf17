// Part of attention.wgsl: see lib/attention_subgroup.wgsl. A lane owns four units; tiles of scores have one column per
// unit and one row per key.
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
  let start = vec4(segmentStart[row.x], segmentStart[row.y], segmentStart[row.z], segmentStart[row.w]);

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
  let lastKey = lastRowOf(block);
  for (var firstKey = segmentStart[firstRowOf(block)]; firstKey <= lastKey; firstKey += LANES) {
    let keyPlace = (min(firstKey + lane, lastKey) * params.kvHeads + block.kvHead) * HEAD_VECS;
//#each c VECTORS
    key[$c] = vec4<f32>(k[keyPlace + $c]);
    value[$c] = vec4<f32>(v[keyPlace + $c]);
//#end
    var newLargest = largest;
//#each t BROADCASTS
    let keys$t = vec4(firstKey + 4 * $t) + firstFour;
    var score$t = mat4x4<f32>();
//#each c VECTORS
    score$t += transpose(rowsOfLanes$t(key[$c])) * query[$c];
//#end
//#each n FOUR
    let visible$t$n = (keys$t >= vec4(start[$n])) & (keys$t <= vec4(row[$n]));
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
  let inverse = 1.0 / max(total, vec4(1e-30));
  let logTotal = largest + log(max(total, vec4(1e-30)));
//#each n FOUR
  if (firstUnit + $n < block.units) {
    lse[place[$n]] = logTotal[$n];
//#each c VECTORS
    y[place[$n] * HEAD_VECS + $c] = stored(sum[$c][$n] * inverse[$n]);
//#end
  }
//#end
}

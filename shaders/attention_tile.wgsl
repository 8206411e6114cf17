// Part of attention.wgsl and attention_extend.wgsl: see lib/attention_unit_tiles.wgsl.
//#include "lib/attention_unit_tiles.wgsl"

// Largest scores, then totals, that an invocation sees of its four rows.
var<workgroup> partial: array<vec4<f32>, INVOCATIONS>;

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let number = workgroupNumber(workgroup, workgroups);
  if (number >= blockCount()) {
    return;
  }
  let block = blockFromLast(number);
  let i = local / SIDE;
  let j = local % SIDE;
  let ownUnit = vec4(block.firstUnit + i) + spread;
  let unit = min(ownUnit, vec4(block.units - 1u));
  let row = unit / block.group;
  let place = placeOf(unit, block);
  let firstKeys = firstKeysOf(row);

//#each s CHUNKS
  var sum$s = mat4x4<f32>();
//#end
  var largest = vec4(NEVER);
  // Of this invocation's keys alone.
  var total = vec4(0.0);
  let lastRow = lastRowOf(block);
  for (var walkRow = firstRowOf(block); walkRow <= lastRow;) {
    let walk = walkFrom(walkRow, lastRow);
    let keyEnds = keyEndsOf(row, walk);
    walkRow = walk.lastRow + 1u;
    for (var firstKey = walk.firstKey; firstKey < walk.keyEnd; firstKey += BLOCK_ROWS) {
      var score = mat4x4<f32>();
      for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        workgroupBarrier();
        for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
          left[tileSlot(e)] = vec4<f32>(q[queryIndex(block, chunk, e)]);
          right[tileSlot(e)] = keyVector(keyIndex(walk, block.kvHead, firstKey, chunk, e));
        }
        workgroupBarrier();
        score += product(i, j);
      }
      let key = vec4(firstKey + j) + spread;
//#each n FOUR
      let visible$n = (vec4(key[$n]) >= firstKeys) & (vec4(key[$n]) < keyEnds);
      score[$n] = select(vec4(NEVER), SCALE * score[$n], visible$n);
//#end
      partial[local] = max(max(score[0], score[1]), max(score[2], score[3]));
      workgroupBarrier();
      var newLargest = largest;
      for (var n = 0u; n < SIDE; n++) {
        newLargest = max(newLargest, partial[i * SIDE + n]);
      }
      let shrink = exp(largest - newLargest);
      largest = newLargest;
      var weight: mat4x4<f32>;
//#each n FOUR
      weight[$n] = select(vec4(0.0), exp(score[$n] - largest), visible$n);
//#end
      total = total * shrink + weight * vec4(1.0);
      storeWeights(i, j, weight);
//#each s CHUNKS
      workgroupBarrier();
      for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
        right[tileSlot(e)] = valueVector(keyIndex(walk, block.kvHead, firstKey, $s, e));
      }
      workgroupBarrier();
      sum$s = scaleColumns(sum$s, shrink) + weightedSum(i, j);
//#end
    }
  }

  workgroupBarrier();
  partial[local] = total;
  workgroupBarrier();
  total = vec4(0.0);
  for (var n = 0u; n < SIDE; n++) {
    total += partial[i * SIDE + n];
  }
  total = max(total, vec4(1e-30));
//#each n FOUR
  if (ownUnit[$n] < block.units) {
    if (j == 0u) {
      keepStatistics(place[$n], largest[$n], total[$n]);
    }
    if (j < CHUNK) {
//#each s CHUNKS
      y[place[$n] * HEAD_VECS + $s * CHUNK + j] = stored(sum$s[$n] / total[$n]);
//#end
    }
  }
//#end
}

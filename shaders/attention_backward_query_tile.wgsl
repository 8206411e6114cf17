// Part of attention_backward_query.wgsl: see lib/attention_unit_tiles.wgsl.
//#include "lib/attention_unit_tiles.wgsl"

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
  let walk = walkFrom(firstRowOf(block), lastRowOf(block));
  let firstKeys = firstKeysOf(row);
  let keyEnds = keyEndsOf(row, walk);
  // Column 0: lse of the four rows; column 1: delta.
  let statistic = transpose(mat4x2(statistics[place.x], statistics[place.y], statistics[place.z], statistics[place.w]));

//#each s CHUNKS
  var sum$s = mat4x4<f32>();
//#end
  for (var firstKey = walk.firstKey; firstKey < walk.keyEnd; firstKey += BLOCK_ROWS) {
    var score = mat4x4<f32>();
    var dWeight = mat4x4<f32>();
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
      workgroupBarrier();
      for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
        left[tileSlot(e)] = dy[queryIndex(block, chunk, e)];
        right[tileSlot(e)] = valueVector(keyIndex(walk, block.kvHead, firstKey, chunk, e));
      }
      workgroupBarrier();
      dWeight += product(i, j);
      workgroupBarrier();
      for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
        left[tileSlot(e)] = vec4<f32>(q[queryIndex(block, chunk, e)]);
        right[tileSlot(e)] = keyVector(keyIndex(walk, block.kvHead, firstKey, chunk, e));
      }
      workgroupBarrier();
      score += product(i, j);
    }
    let key = vec4(firstKey + j) + spread;
    var dScore: mat4x4<f32>;
//#each n FOUR
    let visible$n = (vec4(key[$n]) >= firstKeys) & (vec4(key[$n]) < keyEnds);
    dScore[$n] = select(vec4(0.0), exp(SCALE * score[$n] - statistic[0]), visible$n) * (dWeight[$n] - statistic[1]);
//#end
    storeWeights(i, j, dScore);
//#each s CHUNKS
    workgroupBarrier();
    for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
      right[tileSlot(e)] = keyVector(keyIndex(walk, block.kvHead, firstKey, $s, e));
    }
    workgroupBarrier();
    sum$s += weightedSum(i, j);
//#end
  }
//#each n FOUR
  if (ownUnit[$n] < block.units && j < CHUNK) {
//#each s CHUNKS
    dq[place[$n] * HEAD_VECS + $s * CHUNK + j] = SCALE * sum$s[$n];
//#end
  }
//#end
}

// Part of attention_backward_query.wgsl: see lib/attention_tiles.wgsl. The workgroup owns units and walks the keys.
//#include "lib/attention_tiles.wgsl"

// Index of element e of the block's queries.
fn queryIndex(block: Block, chunk: u32, e: u32) -> u32 {
  let unit = min(block.firstUnit + e / CHUNK, block.units - 1u);
  return placeOf(vec4(unit), block).x * HEAD_VECS + chunk * CHUNK + e % CHUNK;
}

// Index of element e of the tile of keys or values from row `first` on; rows after `last` repeat it.
fn keyIndex(block: Block, first: u32, last: u32, chunk: u32, e: u32) -> u32 {
  return (min(first + e / CHUNK, last) * params.kvHeads + block.kvHead) * HEAD_VECS + chunk * CHUNK + e % CHUNK;
}

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  // The last units of a sequence attend the most keys: first come, so that no long walk begins when the others end.
  let blocks = params.kvHeads * ((params.rows * (params.heads / params.kvHeads) + BLOCK_ROWS - 1u) / BLOCK_ROWS);
  let number = workgroupNumber(workgroup, workgroups);
  if (number >= blocks) {
    return;
  }
  let block = blockOf(blocks - 1u - number);
  let i = local / SIDE;
  let j = local % SIDE;
  let ownUnit = vec4(block.firstUnit + i) + spread;
  let unit = min(ownUnit, vec4(block.units - 1u));
  let row = unit / block.group;
  let place = placeOf(unit, block);
  let start = vec4(segmentStart[row.x], segmentStart[row.y], segmentStart[row.z], segmentStart[row.w]);
  // Column 0: lse of the four rows; column 1: delta.
  let statistic = transpose(mat4x2(statistics[place.x], statistics[place.y], statistics[place.z], statistics[place.w]));

//#each s CHUNKS
  var sum$s = mat4x4<f32>();
//#end
  let lastKey = lastRowOf(block);
  for (var firstKey = segmentStart[firstRowOf(block)]; firstKey <= lastKey; firstKey += BLOCK_ROWS) {
    var score = mat4x4<f32>();
    var dWeight = mat4x4<f32>();
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
      workgroupBarrier();
      for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
        left[tileSlot(e)] = dy[queryIndex(block, chunk, e)];
        right[tileSlot(e)] = vec4<f32>(v[keyIndex(block, firstKey, lastKey, chunk, e)]);
      }
      workgroupBarrier();
      dWeight += product(i, j);
      workgroupBarrier();
      for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
        left[tileSlot(e)] = vec4<f32>(q[queryIndex(block, chunk, e)]);
        right[tileSlot(e)] = vec4<f32>(k[keyIndex(block, firstKey, lastKey, chunk, e)]);
      }
      workgroupBarrier();
      score += product(i, j);
    }
    let key = vec4(firstKey + j) + spread;
    var dScore: mat4x4<f32>;
//#each n FOUR
    let visible$n = (vec4(key[$n]) >= start) & (vec4(key[$n]) <= row);
    dScore[$n] = select(vec4(0.0), exp(SCALE * score[$n] - statistic[0]), visible$n) * (dWeight[$n] - statistic[1]);
//#end
    storeWeights(i, j, dScore);
//#each s CHUNKS
    workgroupBarrier();
    for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
      right[tileSlot(e)] = vec4<f32>(k[keyIndex(block, firstKey, lastKey, $s, e)]);
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

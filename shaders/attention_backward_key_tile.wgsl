// Part of attention_backward_key.wgsl: see lib/attention_tiles.wgsl. The workgroup owns keys and walks the units.
//#include "lib/attention_tiles.wgsl"

// Index of a unit in [rows, heads].
fn unitPlace(unit: u32, kvHead: u32, group: u32) -> u32 {
  return (unit / group * params.kvHeads + kvHead) * group + unit % group;
}

// Index of element e of the tile of queries from unit `first` on; units from `end` on repeat the last.
fn queryIndex(first: u32, end: u32, kvHead: u32, group: u32, chunk: u32, e: u32) -> u32 {
  return unitPlace(min(first + e / CHUNK, end - 1u), kvHead, group) * HEAD_VECS + chunk * CHUNK + e % CHUNK;
}

// Index of element e of the block's keys or values.
fn keyIndex(first: u32, kvHead: u32, chunk: u32, e: u32) -> u32 {
  return (min(first + e / CHUNK, params.rows - 1u) * params.kvHeads + kvHead) * HEAD_VECS + chunk * CHUNK + e % CHUNK;
}

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let number = workgroupNumber(workgroup, workgroups);
  let kvHead = number % params.kvHeads;
  let firstKey = number / params.kvHeads * BLOCK_ROWS;
  if (firstKey >= params.rows) {
    return;
  }
  let group = params.heads / params.kvHeads;
  let i = local / SIDE;
  let j = local % SIDE;
  let ownKey = vec4(firstKey + i) + spread;
  let key = min(ownKey, vec4(params.rows - 1u));
  let end = rowEndsOf(key);

//#each s CHUNKS
  var dKeys$s = mat4x4<f32>();
  var dValues$s = mat4x4<f32>();
//#end
  let unitEnd = min(rowEndsOf(vec4(min(firstKey + BLOCK_ROWS, params.rows) - 1u)).x, params.rows) * group;
  for (var firstUnit = firstKey * group; firstUnit < unitEnd; firstUnit += BLOCK_ROWS) {
    var score = mat4x4<f32>();
    var dWeight = mat4x4<f32>();
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
      workgroupBarrier();
      for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
        left[tileSlot(e)] = vec4<f32>(k[keyIndex(firstKey, kvHead, chunk, e)]);
        right[tileSlot(e)] = vec4<f32>(q[queryIndex(firstUnit, unitEnd, kvHead, group, chunk, e)]);
      }
      workgroupBarrier();
      score += product(i, j);
      workgroupBarrier();
      for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
        left[tileSlot(e)] = vec4<f32>(v[keyIndex(firstKey, kvHead, chunk, e)]);
        right[tileSlot(e)] = dy[queryIndex(firstUnit, unitEnd, kvHead, group, chunk, e)];
      }
      workgroupBarrier();
      dWeight += product(i, j);
    }
    let unit = vec4(firstUnit + j) + spread;
    var weight: mat4x4<f32>;
    var dScore: mat4x4<f32>;
//#each n FOUR
    let row$n = vec4(unit[$n] / group);
    let statistic$n = statistics[unitPlace(min(unit[$n], unitEnd - 1u), kvHead, group)];
    weight[$n] = select(vec4(0.0), exp(SCALE * score[$n] - statistic$n.x), (row$n >= key) & (row$n < end));
    dScore[$n] = weight[$n] * (dWeight[$n] - statistic$n.y);
//#end
    storeWeights(i, j, weight);
//#each s CHUNKS
    workgroupBarrier();
    for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
      right[tileSlot(e)] = dy[queryIndex(firstUnit, unitEnd, kvHead, group, $s, e)];
    }
    workgroupBarrier();
    dValues$s += weightedSum(i, j);
//#end
    workgroupBarrier();
    storeWeights(i, j, dScore);
//#each s CHUNKS
    workgroupBarrier();
    for (var e = local; e < TILE_VECS; e += INVOCATIONS) {
      right[tileSlot(e)] = vec4<f32>(q[queryIndex(firstUnit, unitEnd, kvHead, group, $s, e)]);
    }
    workgroupBarrier();
    dKeys$s += weightedSum(i, j);
//#end
  }
//#each n FOUR
  if (ownKey[$n] < params.rows && j < CHUNK) {
    let at$n = (key[$n] * params.kvHeads + kvHead) * HEAD_VECS + j;
//#each s CHUNKS
    dk[at$n + $s * CHUNK] = SCALE * dKeys$s[$n];
    dv[at$n + $s * CHUNK] = dValues$s[$n];
//#end
  }
//#end
}

// Causal grouped-query attention over packed sequences, without barriers.
//
// q, y: [rows, heads, headDim]; k, v: [rows, kvHeads, headDim]; segmentStart: [rows]; lse: [rows, heads], all as vec4 along headDim but the last two.
// Row i attends rows segmentStart[i]..i.
//
// The queries of one key head are counted as units: unit u is row u / group, head u % group of the key head's group. An invocation takes four
// neighbouring units and walks their keys four at a time, so that every key it loads serves four queries and the arithmetic is 4×4 matrix products
// in registers. A tile of scores has one column per query and one row per key.
//
// Numerics: float32, softmax online with a running maximum (Milakov and Gimelshein, arXiv 1805.02867; Dao, FlashAttention-2, arXiv 2307.08691).
// Masked scores never pass through exp as they are: their weight is set to zero.
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

  var query: array<mat4x4<f32>, HEAD_VECS>;
  var sum: array<mat4x4<f32>, HEAD_VECS>;
  for (var c = 0u; c < $VECTORS; c++) {
    let at = place * HEAD_VECS + c;
    query[c] = SCALE * mat4x4<f32>(q[at.x], q[at.y], q[at.z], q[at.w]);
  }
  var largest = vec4<f32>(NEVER);
  var total = vec4<f32>(0.0);
  let lastKey = row.w;
  for (var firstKey = smallestOf(start); firstKey <= lastKey; firstKey += 4u) {
    let key = vec4<u32>(firstKey) + lanes;
    let keyPlace = (min(key, vec4<u32>(lastKey)) * params.kvHeads + kvHead) * HEAD_VECS;
    var score = mat4x4<f32>();
    for (var c = 0u; c < $VECTORS; c++) {
      let at = keyPlace + c;
      score += transpose(mat4x4<f32>(k[at.x], k[at.y], k[at.z], k[at.w])) * query[c];
    }
    var visible: array<vec4<bool>, 4>;
    for (var n = 0u; n < 4u; n++) {
      visible[n] = (key >= vec4<u32>(start[n])) & (key <= vec4<u32>(row[n]));
      score[n] = select(vec4<f32>(NEVER), score[n], visible[n]);
    }
    let newLargest = max(largest, vec4<f32>(largestOf(score[0]), largestOf(score[1]), largestOf(score[2]), largestOf(score[3])));
    var weight: mat4x4<f32>;
    for (var n = 0u; n < 4u; n++) {
      weight[n] = select(vec4<f32>(0.0), exp(score[n] - newLargest[n]), visible[n]);
    }
    let shrink = exp(largest - newLargest);
    largest = newLargest;
    total = total * shrink + vec4<f32>(1.0) * weight;
    for (var c = 0u; c < $VECTORS; c++) {
      let at = keyPlace + c;
      sum[c] = scaleColumns(sum[c], shrink) + mat4x4<f32>(v[at.x], v[at.y], v[at.z], v[at.w]) * weight;
    }
  }
  let inverse = 1.0 / max(total, vec4<f32>(1e-30));
  let logTotal = largest + log(max(total, vec4<f32>(1e-30)));
  for (var n = 0u; n < 4u && firstUnit + n < units; n++) {
    lse[place[n]] = logTotal[n];
    for (var c = 0u; c < $VECTORS; c++) {
      y[place[n] * HEAD_VECS + c] = sum[c][n] * inverse[n];
    }
  }
}

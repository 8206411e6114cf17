// Part of attention_decode.wgsl and attention_extend.wgsl, for GPUs: a workgroup takes one query. Its invocations share
// the keys out, each with a softmax of its own. Their results are combined in workgroup memory in a fixed order, CHUNK
// vectors of the head at a time (CHUNK divides HEAD_VECS and is at most 8).

const SIDE = 8u;
const WORKGROUP = SIDE * SIDE;

// Each invocation's largest score, its total, and its sums.
var<workgroup> maxima: array<f32, WORKGROUP>;
var<workgroup> totals: array<f32, WORKGROUP>;
var<workgroup> parts: array<vec4<f32>, CHUNK * WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = workgroupNumber(workgroup, workgroups);
  if (index >= params.rows * params.heads) {
    return;
  }
  let row = index / params.heads;
  let kvHead = index % params.heads / (params.heads / params.kvHeads);
  let base = slots[row] * params.capacity;
  let length = lengthOf(row);
  let start = windowStart(vec4(max(length, 1u) - 1u)).x;

  var query: array<vec4<f32>, HEAD_VECS>;
  var sum: array<vec4<f32>, HEAD_VECS>;
  for (var c = 0u; c < HEAD_VECS; c++) {
    query[c] = SCALE * vec4<f32>(q[index * HEAD_VECS + c]);
  }
  var largest = NEVER;
  var total = 0.0;
  for (var position = start + local; position < length; position += WORKGROUP) {
    let place = ((base + position) * params.kvHeads + kvHead) * HEAD_VECS;
    var score = vec4<f32>();
    for (var c = 0u; c < HEAD_VECS; c++) {
      score += query[c] * vec4<f32>(cacheK[place + c]);
    }
    let newScore = dot(score, vec4(1.0));
    let newLargest = max(largest, newScore);
    let weight = exp(newScore - newLargest);
    let shrink = exp(largest - newLargest);
    largest = newLargest;
    total = total * shrink + weight;
    for (var c = 0u; c < HEAD_VECS; c++) {
      sum[c] = sum[c] * shrink + weight * vec4<f32>(cacheV[place + c]);
    }
  }

//#include "lib/attention_shares.wgsl"
}

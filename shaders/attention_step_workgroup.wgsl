// Part of attention_step.wgsl, for GPUs: a workgroup takes one query. Its first invocations turn the query and the new
// key, and keep them and the new value in workgroup memory. Then all share the keys out, each with a softmax of its
// own, and their results are combined in a fixed order, CHUNK vectors of the head at a time (CHUNK divides HEAD_VECS
// and is at most 8).

const SIDE = 8u;
const WORKGROUP = SIDE * SIDE;

var<workgroup> query: array<vec4<f32>, HEAD_VECS>;
var<workgroup> ownKey: array<vec4<f32>, HEAD_VECS>;
var<workgroup> ownValue: array<vec4<f32>, HEAD_VECS>;
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
  if (index >= params.batch * params.heads) {
    return;
  }
  let item = index / params.heads;
  let head = index % params.heads;
  let group = params.heads / params.kvHeads;
  let kvHead = head / group;
//#include "lib/attention_step_place.wgsl"
  let exists = hasPlace(item);

  for (var c = local; c < HALF_VECS; c += WORKGROUP) {
    let turn = turnOf(item, c);
    let a = params.queryScale * SCALE * qkv[queryStart + c];
    let b = params.queryScale * SCALE * qkv[queryStart + HALF_VECS + c];
    query[c] = a * turn.cos - b * turn.sin;
    query[c + HALF_VECS] = b * turn.cos + a * turn.sin;
    let x = qkv[keyStart + c];
    let z = qkv[keyStart + HALF_VECS + c];
    ownKey[c] = x * turn.cos - z * turn.sin;
    ownKey[c + HALF_VECS] = z * turn.cos + x * turn.sin;
  }
  for (var c = local; c < HEAD_VECS; c += WORKGROUP) {
    ownValue[c] = qkv[valueStart + c];
  }
  workgroupBarrier();
  if (exists && head % group == 0u) {
    for (var c = local; c < HEAD_VECS; c += WORKGROUP) {
      cacheK[ownPlace + c] = stored(ownKey[c]);
      cacheV[ownPlace + c] = stored(ownValue[c]);
    }
  }

  var sum: array<vec4<f32>, HEAD_VECS>;
  var largest = NEVER;
  var total = 0.0;
  for (var position = start + local; position < select(0u, length + 1u, exists); position += WORKGROUP) {
    // What another workgroup is putting into the cache right here is taken from this one's own memory.
    let isOwn = position == length;
    let place = ((base + position) * params.kvHeads + kvHead) * HEAD_VECS;
    var score = vec4<f32>();
    for (var c = 0u; c < HEAD_VECS; c++) {
      score += query[c] * select(vec4<f32>(cacheK[place + c]), ownKey[c], isOwn);
    }
    let newScore = dot(score, vec4(1.0));
    let newLargest = max(largest, newScore);
    let weight = exp(newScore - newLargest);
    let shrink = exp(largest - newLargest);
    largest = newLargest;
    total = total * shrink + weight;
    for (var c = 0u; c < HEAD_VECS; c++) {
      sum[c] = sum[c] * shrink + weight * select(vec4<f32>(cacheV[place + c]), ownValue[c], isOwn);
    }
  }

//#include "lib/attention_shares.wgsl"
}

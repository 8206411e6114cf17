// Part of attention_step.wgsl, for adapters on the CPU and heads that are too wide to be held by one invocation: a
// workgroup is a subgroup of LANES lanes, and takes HEADS_EACH queries of an item that share a key head. Lane l holds
// the vectors l, l + LANES, … of each query and of what it sums, QUADS_EACH of them, and reads those of the keys and
// values, so that neighbours read neighbours. A score is added up by the subgroup; keys are walked four at a time.
// FOUR is 4. The workgroup with the first queries of a key head writes its key and value.

// A vector of a head that is turned: of the first half x · cos − y · sin, of the second y · cos + x · sin.
fn turnedVector(start: u32, c: u32, turn: SinCos) -> vec4<f32> {
  let isFirstHalf = c < HALF_VECS;
  let other = qkv[start + select(c - HALF_VECS, c + HALF_VECS, isFirstHalf)];
  return qkv[start + c] * turn.cos + select(other, -other, isFirstHalf) * turn.sin;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let firstQuery = workgroupNumber(workgroup, workgroups) * HEADS_EACH;
  if (firstQuery >= params.batch * params.heads) {
    return;
  }
  let item = firstQuery / params.heads;
  let head = firstQuery % params.heads;
  let group = params.heads / params.kvHeads;
  let kvHead = head / group;
  // A lane without a vector reads the last one, and writes nothing.
//#each q QUADS_EACH
  let isInside$q = lane + $q * LANES < HEAD_VECS;
  let c$q = min(lane + $q * LANES, HEAD_VECS - 1u);
//#end
  if (!hasPlace(item)) {
//#each q QUADS_EACH
    if (isInside$q) {
//#each h HEADS_EACH
      y[(firstQuery + $h) * HEAD_VECS + c$q] = stored(vec4<f32>());
//#end
    }
//#end
    return;
  }
//#include "lib/attention_step_place.wgsl"
  let isFirst = head % group == 0u;

//#each h HEADS_EACH
  var ownScore$h = 0.0;
//#end
//#each q QUADS_EACH
  let turn$q = turnOf(item, c$q % HALF_VECS);
  let key$q = turnedVector(keyStart, c$q, turn$q);
  let value$q = qkv[valueStart + c$q];
  if (isFirst && isInside$q) {
    cacheK[ownPlace + c$q] = stored(key$q);
    cacheV[ownPlace + c$q] = stored(value$q);
  }
//#each h HEADS_EACH
  let turned$h$q = turnedVector(queryStart + $h * HEAD_VECS, c$q, turn$q);
  let query$h$q = select(vec4<f32>(), params.queryScale * SCALE * turned$h$q, isInside$q);
  ownScore$h += dot(query$h$q, key$q);
  var sum$h$q = value$q;
//#end
//#end
//#each h HEADS_EACH
  var largest$h = subgroupAdd(ownScore$h);
  var total$h = 1.0;
//#end

  for (var first = start; first < length; first += 4u) {
    let visible = vec4(first) + firstFour < vec4(length);
//#each h HEADS_EACH
    var part$h = vec4<f32>();
//#end
//#each j FOUR
    let place$j = ((base + min(first + $j, length - 1u)) * params.kvHeads + kvHead) * HEAD_VECS;
//#each q QUADS_EACH
    let key$j$q = vec4<f32>(cacheK[place$j + c$q]);
//#each h HEADS_EACH
    part$h[$j] += dot(query$h$q, key$j$q);
//#end
//#end
//#end
//#each h HEADS_EACH
    let score$h = select(vec4(NEVER), subgroupAdd(part$h), visible);
    let newLargest$h = max(largest$h, largestOf(score$h));
    let weight$h = select(vec4(0.0), exp(score$h - newLargest$h), visible);
    let shrink$h = exp(largest$h - newLargest$h);
    largest$h = newLargest$h;
    total$h = total$h * shrink$h + dot(weight$h, vec4(1.0));
//#each q QUADS_EACH
    sum$h$q *= shrink$h;
//#end
//#end
//#each j FOUR
//#each q QUADS_EACH
    let value$j$q = vec4<f32>(cacheV[place$j + c$q]);
//#each h HEADS_EACH
    sum$h$q += weight$h[$j] * value$j$q;
//#end
//#end
//#end
  }
//#each q QUADS_EACH
  if (isInside$q) {
//#each h HEADS_EACH
    y[(firstQuery + $h) * HEAD_VECS + c$q] = stored(sum$h$q / total$h);
//#end
  }
//#end
}

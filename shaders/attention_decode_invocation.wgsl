// Part of attention_decode.wgsl, without barriers: an invocation takes HEADS_EACH queries of an item that share a key head, so that every key it reads serves
// them all, and walks the keys four at a time.

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let firstQuery = (workgroupNumber(workgroup, workgroups) * WORKGROUP + local) * HEADS_EACH;
  if (firstQuery >= params.batch * params.heads) {
    return;
  }
  let item = firstQuery / params.heads;
  let kvHead = firstQuery % params.heads / (params.heads / params.kvHeads);
  let base = slots[item] * params.capacity;
  let length = lengthOf(item);

//#each h HEADS_EACH
  var query$h: array<vec4<f32>, HEAD_VECS>;
  var sum$h: array<vec4<f32>, HEAD_VECS>;
  var largest$h = NEVER;
  var total$h = 0.0;
//#each c VECTORS
  query$h[$c] = SCALE * vec4<f32>(q[(firstQuery + $h) * HEAD_VECS + $c]);
//#end
//#end
  for (var first = 0u; first < length; first += 4u) {
    let position = vec4(first) + firstFour;
    let visible = position < vec4(length);
    let place = ((base + min(position, vec4(length - 1u))) * params.kvHeads + kvHead) * HEAD_VECS;
//#each h HEADS_EACH
    var score$h = vec4<f32>();
//#end
//#each c VECTORS
    let at$c = place + $c;
    let keys$c = mat4x4<f32>(mat4x4(cacheK[at$c.x], cacheK[at$c.y], cacheK[at$c.z], cacheK[at$c.w]));
//#each h HEADS_EACH
    score$h += query$h[$c] * keys$c;
//#end
//#end
//#each h HEADS_EACH
    score$h = select(vec4(NEVER), score$h, visible);
    let newLargest$h = max(largest$h, largestOf(score$h));
    let weight$h = select(vec4(0.0), exp(score$h - newLargest$h), visible);
    let shrink$h = exp(largest$h - newLargest$h);
    largest$h = newLargest$h;
    total$h = total$h * shrink$h + dot(weight$h, vec4(1.0));
//#end
//#each c VECTORS
    let from$c = place + $c;
    let values$c = mat4x4<f32>(mat4x4(cacheV[from$c.x], cacheV[from$c.y], cacheV[from$c.z], cacheV[from$c.w]));
//#each h HEADS_EACH
    sum$h[$c] = sum$h[$c] * shrink$h + values$c * weight$h;
//#end
//#end
  }
//#each h HEADS_EACH
//#each c VECTORS
  y[(firstQuery + $h) * HEAD_VECS + $c] = stored(sum$h[$c] / max(total$h, 1e-30));
//#end
//#end
}

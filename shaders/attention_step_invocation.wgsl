// Part of attention_step.wgsl, without barriers: an invocation takes HEADS_EACH queries of an item that share a key
// head, so that every key it reads serves them all, and walks the keys four at a time. The one with the first queries
// of a key head writes its key and value.

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
  let head = firstQuery % params.heads;
  let group = params.heads / params.kvHeads;
  let kvHead = head / group;
  if (!hasPlace(item)) {
//#each h HEADS_EACH
//#each c VECTORS
    y[(firstQuery + $h) * HEAD_VECS + $c] = stored(vec4<f32>());
//#end
//#end
    return;
  }
//#include "lib/attention_step_place.wgsl"

  var key: array<vec4<f32>, HEAD_VECS>;
//#each h HEADS_EACH
  var query$h: array<vec4<f32>, HEAD_VECS>;
  var sum$h: array<vec4<f32>, HEAD_VECS>;
  var ownScore$h = vec4<f32>();
//#end
//#each c HALF_VECTORS
  let turn$c = turnOf(item, $c);
  let x$c = qkv[keyStart + $c];
  let y$c = qkv[keyStart + HALF_VECS + $c];
  key[$c] = x$c * turn$c.cos - y$c * turn$c.sin;
  key[$c + HALF_VECS] = y$c * turn$c.cos + x$c * turn$c.sin;
//#each h HEADS_EACH
  let a$c$h = params.queryScale * qkv[queryStart + $h * HEAD_VECS + $c];
  let b$c$h = params.queryScale * qkv[queryStart + $h * HEAD_VECS + HALF_VECS + $c];
  query$h[$c] = SCALE * (a$c$h * turn$c.cos - b$c$h * turn$c.sin);
  query$h[$c + HALF_VECS] = SCALE * (b$c$h * turn$c.cos + a$c$h * turn$c.sin);
  ownScore$h += query$h[$c] * key[$c] + query$h[$c + HALF_VECS] * key[$c + HALF_VECS];
//#end
//#end
  let isFirst = head % group == 0u;
//#each c VECTORS
  let value$c = qkv[valueStart + $c];
  if (isFirst) {
    cacheK[ownPlace + $c] = stored(key[$c]);
    cacheV[ownPlace + $c] = stored(value$c);
  }
//#each h HEADS_EACH
  sum$h[$c] = value$c;
//#end
//#end
//#each h HEADS_EACH
  var largest$h = dot(ownScore$h, vec4(1.0));
  var total$h = 1.0;
//#end
//#include "lib/attention_cached_keys.wgsl"
//#each h HEADS_EACH
//#each c VECTORS
  y[(firstQuery + $h) * HEAD_VECS + $c] = stored(sum$h[$c] / total$h);
//#end
//#end
}

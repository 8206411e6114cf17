// Within a `main` of attention_step.wgsl, behind `item`, `head` and `kvHead`. It says where the query, the new key and
// the new value of a head begin in qkv, which positions of the cache it attends, and where its own key and value go
// there.

  let row = item * (params.heads + 2u * params.kvHeads);
  let queryStart = (row + head) * HEAD_VECS;
  let keyStart = (row + params.heads + kvHead) * HEAD_VECS;
  let valueStart = keyStart + params.kvHeads * HEAD_VECS;
  let base = slots[item] * params.capacity;
  let length = positions[item];
  let start = windowStart(vec4(length)).x;
  let ownPlace = ((base + length) * params.kvHeads + kvHead) * HEAD_VECS;

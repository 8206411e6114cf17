// Splits a fused projection qkv [rows, heads + 2 · kvHeads, headDim] into q, k and v, which may be stored in f16, and
// turns q and k by their row's position. With BACKWARD it does the reverse with gradients: joins dq, dk and dv,
// turned back. Element i < rotaryDim / 2 of a head forms a pair with element i + rotaryDim / 2 ("rotate half", as in
// Hugging Face's code) and turns by position · frequencies[i]; queries are also multiplied by queryScale, and where
// they are turned by rotaryScale. Elements from rotaryDim on are not turned, and form pairs in the same way among
// themselves. Su et al., arXiv 2104.09864. An invocation takes pair i (of single elements, or of vec4) of a row's heads
// from `first` to before `last`: all heads with LOOP, so that sine and cosine are computed once; else one.
//#include "lib/grid.wgsl"
//#include "lib/sin_cos.wgsl"
//#include "lib/stored.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  let half = params.headDim / (2u * WIDTH);
  let turnedHalf = params.rotaryDim / (2u * WIDTH);
  let keyHead = params.heads;
  let valueHead = params.heads + params.kvHeads;
  let allHeads = params.heads + 2u * params.kvHeads;
  let i = at % half;
//#if LOOP
  let row = at / half;
  let first = 0u;
  let last = allHeads;
//#else
  let row = at / (half * allHeads);
  let first = (at / half) % allHeads;
  let last = first + 1u;
//#endif
  if (row >= params.rows) {
    return;
  }
  let isTurned = i < turnedHalf;
  // Where the pair's elements are in a head: the first, and how far behind it the second.
  let pairStart = select(i + turnedHalf, i, isTurned);
  let apart = select(half - turnedHalf, turnedHalf, isTurned);
  var turn = SinCos($ELEMENT(0.0), $ELEMENT(1.0));
  // An invocation of a value head turns nothing.
  if (isTurned && first < valueHead) {
    turn = sinCos(f32(positions[row]) * frequencies[i]);
  }
  let queryScale = params.queryScale * select(1.0, params.rotaryScale, isTurned);
  let queryTurn = SinCos(queryScale * turn.sin, queryScale * turn.cos);
  let rowStart = row * allHeads * 2u * half + pairStart;
  for (var head = first; head < min(last, keyHead); head++) {
    let fused = rowStart + head * 2u * half;
    let part = (row * params.heads + head) * 2u * half + pairStart;
//#if BACKWARD
    let a = dq[part];
    let b = dq[part + apart];
    dqkv[fused] = a * queryTurn.cos + b * queryTurn.sin;
    dqkv[fused + apart] = b * queryTurn.cos - a * queryTurn.sin;
//#else
    let a = qkv[fused];
    let b = qkv[fused + apart];
    q[part] = stored(a * queryTurn.cos - b * queryTurn.sin);
    q[part + apart] = stored(b * queryTurn.cos + a * queryTurn.sin);
//#endif
  }
  for (var head = max(first, keyHead); head < min(last, valueHead); head++) {
    let fused = rowStart + head * 2u * half;
    let part = (row * params.kvHeads + head - keyHead) * 2u * half + pairStart;
//#if BACKWARD
    let a = dk[part];
    let b = dk[part + apart];
    dqkv[fused] = a * turn.cos + b * turn.sin;
    dqkv[fused + apart] = b * turn.cos - a * turn.sin;
//#else
    let a = qkv[fused];
    let b = qkv[fused + apart];
    k[part] = stored(a * turn.cos - b * turn.sin);
    k[part + apart] = stored(b * turn.cos + a * turn.sin);
//#endif
  }
  for (var head = max(first, valueHead); head < last; head++) {
    let fused = rowStart + head * 2u * half;
    let part = (row * params.kvHeads + head - valueHead) * 2u * half + pairStart;
//#if BACKWARD
    dqkv[fused] = dv[part];
    dqkv[fused + apart] = dv[part + apart];
//#else
    v[part] = stored(qkv[fused]);
    v[part + apart] = stored(qkv[fused + apart]);
//#endif
  }
}

// Splits a fused projection qkv [rows, heads + 2 · kvHeads, headDim] into q, k and v, which may be stored in f16, and
// turns q and k by their row's position; or, with BACKWARD, does the reverse with gradients: joins dq, dk and dv,
// turned back. Element i < headDim / 2 of a head forms a pair with element i + headDim / 2 ("rotate half", as Llama and
// Qwen in Hugging Face's code) and turns by position · frequencies[i]; queries are also multiplied by queryScale. Su et
// al., arXiv 2104.09864. An invocation takes elements i (one, or a vec4) of a row's heads from `first` to before
// `last`: all heads with LOOP, so that sine and cosine are computed once; else one.
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
//#if LOOP
  let turn = sinCos(f32(positions[row]) * frequencies[i]);
//#else
  // An invocation of a value head turns nothing.
  var turn = SinCos();
  if (first < valueHead) {
    turn = sinCos(f32(positions[row]) * frequencies[i]);
  }
//#endif
  let queryTurn = SinCos(params.queryScale * turn.sin, params.queryScale * turn.cos);
  let rowStart = row * allHeads * 2u * half + i;
  for (var head = first; head < min(last, keyHead); head++) {
    let fused = rowStart + head * 2u * half;
    let part = (row * params.heads + head) * 2u * half + i;
//#if BACKWARD
    let a = dq[part];
    let b = dq[part + half];
    dqkv[fused] = a * queryTurn.cos + b * queryTurn.sin;
    dqkv[fused + half] = b * queryTurn.cos - a * queryTurn.sin;
//#else
    let a = qkv[fused];
    let b = qkv[fused + half];
    q[part] = stored(a * queryTurn.cos - b * queryTurn.sin);
    q[part + half] = stored(b * queryTurn.cos + a * queryTurn.sin);
//#endif
  }
  for (var head = max(first, keyHead); head < min(last, valueHead); head++) {
    let fused = rowStart + head * 2u * half;
    let part = (row * params.kvHeads + head - keyHead) * 2u * half + i;
//#if BACKWARD
    let a = dk[part];
    let b = dk[part + half];
    dqkv[fused] = a * turn.cos + b * turn.sin;
    dqkv[fused + half] = b * turn.cos - a * turn.sin;
//#else
    let a = qkv[fused];
    let b = qkv[fused + half];
    k[part] = stored(a * turn.cos - b * turn.sin);
    k[part + half] = stored(b * turn.cos + a * turn.sin);
//#endif
  }
  for (var head = max(first, valueHead); head < last; head++) {
    let fused = rowStart + head * 2u * half;
    let part = (row * params.kvHeads + head - valueHead) * 2u * half + i;
//#if BACKWARD
    dqkv[fused] = dv[part];
    dqkv[fused + half] = dv[part + half];
//#else
    v[part] = stored(qkv[fused]);
    v[part + half] = stored(qkv[fused + half]);
//#endif
  }
}

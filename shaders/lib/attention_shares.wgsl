// The end of a decoding kernel for GPUs, within its `main`. It combines the softmaxes of a workgroup's invocations,
// each over its share of the keys, in a fixed order. Then it writes the query's result, CHUNK vectors of the head at a
// time (CHUNK divides HEAD_VECS and is at most 8). It needs `largest`, `total` and `sum` of the invocation `local`,
// `index` of the query, and `maxima`, `totals` and `parts` in workgroup memory.

  maxima[local] = largest;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local < half) {
      maxima[local] = max(maxima[local], maxima[local + half]);
    }
  }
  let factor = exp(largest - workgroupUniformLoad(&maxima[0]));
  totals[local] = total * factor;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local < half) {
      totals[local] += totals[local + half];
    }
  }
  let inverse = 1.0 / max(workgroupUniformLoad(&totals[0]), 1e-30);

  // Eight invocations a vector add up the parts of eight invocations each; then one adds their sums.
  let vector = local / SIDE;
//#each s CHUNKS
  for (var c = 0u; c < CHUNK; c++) {
    parts[c * WORKGROUP + local] = sum[$s * CHUNK + c] * factor;
  }
  workgroupBarrier();
  var eighth$s = vec4<f32>();
  for (var n = 0u; n < SIDE; n++) {
    eighth$s += parts[min(vector, CHUNK - 1u) * WORKGROUP + local % SIDE * SIDE + n];
  }
  workgroupBarrier();
  if (vector < CHUNK) {
    parts[local] = eighth$s;
  }
  workgroupBarrier();
  if (local < CHUNK) {
    var whole = vec4<f32>();
    for (var n = 0u; n < SIDE; n++) {
      whole += parts[local * SIDE + n];
    }
    y[index * HEAD_VECS + $s * CHUNK + local] = stored(whole * inverse);
  }
  workgroupBarrier();
//#end

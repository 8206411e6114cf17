// Rows of a packed matrix, the array `$PACKED_ARRAY` of u32, widened as they are read. kernels/packed.ts says how they
// lie. A value is scale · q + shift; the product is exact in float32, so that fused or not the value is the one float32
// number.

//#include "lib/packed_layout.wgsl"

fn halfAt(word: u32, index: u32) -> f32 {
  let pair = unpack2x16float($PACKED_ARRAY[word]);
  return select(pair.x, pair.y, index == 1u);
}

// Scale and shift of the values of a quad, in the row of `columns` values that starts at a word.
fn packedScale(row: u32, quad: u32, columns: u32) -> vec2<f32> {
  let group = quad / 8u;
//#if Q4_1
  return unpack2x16float($PACKED_ARRAY[row + group]);
//#endif
//#if Q4_0
  let scale = halfAt(row + group / 2u, group & 1u);
  return vec2(scale, -8.0 * scale);
//#endif
//#if Q8_0
  let scale = halfAt(row + group / 2u, group & 1u);
  return vec2(scale, -128.0 * scale);
//#endif
//#if Q4_K
  let at = row + group / 8u * 4u;
  let byte = 8u * (group & 3u);
  let scales = $PACKED_ARRAY[at + 1u] >> byte;
  let minima = $PACKED_ARRAY[at + 2u] >> byte;
  let last = $PACKED_ARRAY[at + 3u] >> byte;
  let isFirst = (group & 4u) == 0u;
  let scale = select((last & 15u) | ((scales >> 2u) & 48u), scales & 63u, isFirst);
  let minimum = select(((last >> 4u) & 15u) | ((minima >> 2u) & 48u), minima & 63u, isFirst);
  return unpack2x16float($PACKED_ARRAY[at]) * vec2(f32(scale), -f32(minimum));
//#endif
//#if Q6_K
  let block = group / 8u;
  let half = quad / 4u;
  let word = $PACKED_ARRAY[row + half / 4u];
  let byte = bitcast<i32>(word << (24u - 8u * (half & 3u))) >> 24u;
  let scale = halfAt(row + columns / 64u + block / 2u, block & 1u) * f32(byte);
  return vec2(scale, -32.0 * scale);
//#endif
}

// The numbers q of a group's quad 0 to 7. `word` is the one that has them, or their lower four bits, and `upper` the
// one that has their upper two, where there are such.
fn packedNumbers(word: u32, upper: u32, quad: u32) -> vec4<f32> {
  const BYTES = vec4(0u, 8u, 16u, 24u);
//#if EIGHT_BITS
  return vec4<f32>(vec4<i32>((vec4(word) >> BYTES) & vec4(255u)));
//#else
  let low = (vec4(word >> (quad & 4u)) >> BYTES) & vec4(15u);
//#if SIX_BITS
  let high = (vec4(upper >> (2u * (quad & 3u))) >> BYTES) & vec4(3u);
  return vec4<f32>(vec4<i32>(low | (high << vec4(4u))));
//#else
  return vec4<f32>(vec4<i32>(low));
//#endif
//#endif
}

fn packedValues(numbers: vec4<f32>, scale: vec2<f32>) -> vec4<f32> {
  return fma(vec4(scale.x), numbers, vec4(scale.y));
}

// The values 4 · quad to 4 · quad + 3 of the row of `columns` values that starts at a word.
fn packedQuad(row: u32, quad: u32, columns: u32) -> vec4<f32> {
  let group = row + scaleWords(columns) + quad / 8u * BITS;
//#if EIGHT_BITS
  let word = $PACKED_ARRAY[group + (quad & 7u)];
//#else
  let word = $PACKED_ARRAY[group + (quad & 3u)];
//#endif
//#if SIX_BITS
  let upper = $PACKED_ARRAY[group + 4u + (quad & 4u) / 4u];
//#else
  let upper = 0u;
//#endif
  return packedValues(packedNumbers(word, upper, quad & 7u), packedScale(row, quad, columns));
}

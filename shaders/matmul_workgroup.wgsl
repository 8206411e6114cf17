// Part of matmul.wgsl. How workgroups copy their tiles of A and B to workgroup memory, TILE_K depths at a time.
//
// A tile is copied in quads, four elements that are neighbours in storage: along k for A in nn and nt and for B in nt,
// along the rows or columns of C otherwise. So nothing is transposed on the way.

// A tile of quads: LINES of QUADS each.
//#if TRANSPOSE_A
const LEFT_LINES = TILE_K;
const LEFT_QUADS = TILE_M / 4u;
//#else
const LEFT_LINES = TILE_M;
const LEFT_QUADS = TILE_K / 4u;
//#endif
//#if TRANSPOSE_B
const RIGHT_LINES = TILE_N;
const RIGHT_QUADS = TILE_K / 4u;
//#else
const RIGHT_LINES = TILE_K;
const RIGHT_QUADS = TILE_N / 4u;
//#endif

// Elements as they are kept in workgroup memory and multiplied. In a half product those in float32 become the nearest
// f16, and what lies beyond the largest f16 becomes that; what is not finite stays so.
//#if ROUND_A
fn leftOperand(x: vec4<f32>) -> vec4<f16> {
  return roundedToHalf(x);
}
//#else
fn leftOperand(x: vec4<$OPERAND>) -> vec4<$OPERAND> {
  return x;
}
//#endif

//#if ROUND_B
fn rightOperand(x: vec4<f32>) -> vec4<f16> {
  return roundedToHalf(x);
}
//#else
fn rightOperand(x: vec4<$OPERAND>) -> vec4<$OPERAND> {
  return x;
}
//#endif

//#if HALF
fn roundedToHalf(x: vec4<f32>) -> vec4<f16> {
  let isFinite = (bitcast<vec4<u32>>(x) & vec4(0x7f800000u)) != vec4(0x7f800000u);
  return vec4<f16>(select(x, clamp(x, vec4(-65504.0), vec4(65504.0)), isFinite));
}
//#endif

// Four elements of A's storage from (line, first) on, in lines of `length`; zeros from `lineEnd` and `end` on.
fn quadOfA(start: u32, line: u32, first: u32, length: u32, lineEnd: u32, end: u32) -> vec4<$A> {
  if (line >= lineEnd || first >= end) {
    return vec4<$A>();
  }
  let at = start + line * length + first;
//#if VECTOR
  return a[at >> 2u];
//#else
  var quad = vec4<$A>(a[at], 0, 0, 0);
  for (var j = 1u; j < 4u && first + j < end; j++) {
    quad[j] = a[at + j];
  }
  return quad;
//#endif
}

// The same of B.
fn quadOfB(start: u32, line: u32, first: u32, length: u32, lineEnd: u32, end: u32) -> vec4<$B> {
  if (line >= lineEnd || first >= end) {
    return vec4<$B>();
  }
//#if PACKED
  return packedQuadOfB(line, first / 4u);
//#else
  let at = start + line * length + first;
//#if VECTOR
  return b[at >> 2u];
//#else
  var quad = vec4<$B>(b[at], 0, 0, 0);
  for (var j = 1u; j < 4u && first + j < end; j++) {
    quad[j] = b[at + j];
  }
  return quad;
//#endif
//#endif
}

// Quad q of the tile of A whose first depth is `depth`; zeros beyond A, and from the end of the split on.
fn leftQuad(tile: Tile, depth: u32, q: u32) -> vec4<$A> {
  let line = q / LEFT_QUADS;
  let first = 4u * (q % LEFT_QUADS);
//#if TRANSPOSE_A
  return quadOfA(tile.a, depth + line, tile.row + first, params.m, tile.end, params.m);
//#else
  return quadOfA(tile.a, tile.row + line, depth + first, params.k, params.m, tile.end);
//#endif
}

// The same of B.
fn rightQuad(tile: Tile, depth: u32, q: u32) -> vec4<$B> {
  let line = q / RIGHT_QUADS;
  let first = 4u * (q % RIGHT_QUADS);
//#if TRANSPOSE_B
  return quadOfB(tile.b, tile.column + line, depth + first, params.k, params.n, tile.end);
//#else
  return quadOfB(tile.b, depth + line, tile.column + first, params.n, tile.end, params.n);
//#endif
}

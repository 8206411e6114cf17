// Part of matmul.wgsl. For adapters that run on the CPU, where a subgroup is a SIMD register, a barrier is expensive, and a storage read costs as much for each
// lane as several multiplications. A workgroup is one subgroup of LANES lanes and computes 16 rows × 4 · LANES columns: each lane owns four columns, keeps
// their 16 × 4 sums in registers, and holds the elements of A for 16 / LANES of the rows, which it hands to the others by broadcast.
// Two depths a step, because the loop's bookkeeping of masked lanes costs as much as the sums themselves.

// Indexed by constants alone: drivers that do not unroll loops would keep it in memory otherwise.
var<private> sums: array<vec4<f32>, 16>;
// Where the lane's rows of A, and its columns of B, start.
var<private> leftStart: vec4<u32>;
var<private> rightStart: vec4<u32>;

// The lane's elements of A at depths i and i + 1: component g is of row g · LANES + lane of the tile.
fn leftPair(i: u32, end: u32) -> mat2x4<f32> {
//#if VECTOR
//#if TRANSPOSE_A
  let at = leftStart + i * params.m;
  let next = at + params.m;
  return mat2x4<f32>(a[at.x], a[at.y], a[at.z], a[at.w], a[next.x], a[next.y], a[next.z], a[next.w]);
//#else
  let at = (leftStart + i) >> vec4(1u);
  return transpose(mat4x2<f32>(a[at.x], a[at.y], a[at.z], a[at.w]));
//#endif
//#else
//#if TRANSPOSE_A
  let at = leftStart + i * params.m;
  let next = leftStart + min(i + 1u, end - 1u) * params.m;
//#else
  let at = leftStart + i;
  let next = leftStart + min(i + 1u, end - 1u);
//#endif
  let second = select(vec4<f32>(), vec4(a[next.x], a[next.y], a[next.z], a[next.w]), i + 1u < end);
  return mat2x4<f32>(vec4(a[at.x], a[at.y], a[at.z], a[at.w]), second);
//#endif
}

// The elements of B at depths i and i + 1, of the lane's four columns.
fn rightPair(i: u32, end: u32) -> mat2x4<f32> {
//#if VECTOR
//#if TRANSPOSE_B
  let at = (rightStart + i) >> vec4(1u);
  return transpose(mat4x2<f32>(vec2<f32>(b[at.x]), vec2<f32>(b[at.y]), vec2<f32>(b[at.z]), vec2<f32>(b[at.w])));
//#else
  let at = (rightStart.x + i * params.n) >> 2u;
  return mat2x4<f32>(vec4<f32>(b[at]), vec4<f32>(b[at + (params.n >> 2u)]));
//#endif
//#else
//#if TRANSPOSE_B
  let at = rightStart + i;
  let next = rightStart + min(i + 1u, end - 1u);
//#else
  let at = rightStart + i * params.n;
  let next = rightStart + min(i + 1u, end - 1u) * params.n;
//#endif
  return mat2x4<f32>(
    vec4(f32(b[at.x]), f32(b[at.y]), f32(b[at.z]), f32(b[at.w])),
    vec4(f32(b[next.x]), f32(b[next.y]), f32(b[next.z]), f32(b[next.w])),
  );
//#endif
}

fn accumulate(x: vec4<f32>, y: vec4<f32>) {
  sums[0] += subgroupBroadcast(x[0u / LANES], 0u % LANES) * y;
  sums[1] += subgroupBroadcast(x[1u / LANES], 1u % LANES) * y;
  sums[2] += subgroupBroadcast(x[2u / LANES], 2u % LANES) * y;
  sums[3] += subgroupBroadcast(x[3u / LANES], 3u % LANES) * y;
  sums[4] += subgroupBroadcast(x[4u / LANES], 4u % LANES) * y;
  sums[5] += subgroupBroadcast(x[5u / LANES], 5u % LANES) * y;
  sums[6] += subgroupBroadcast(x[6u / LANES], 6u % LANES) * y;
  sums[7] += subgroupBroadcast(x[7u / LANES], 7u % LANES) * y;
  sums[8] += subgroupBroadcast(x[8u / LANES], 8u % LANES) * y;
  sums[9] += subgroupBroadcast(x[9u / LANES], 9u % LANES) * y;
  sums[10] += subgroupBroadcast(x[10u / LANES], 10u % LANES) * y;
  sums[11] += subgroupBroadcast(x[11u / LANES], 11u % LANES) * y;
  sums[12] += subgroupBroadcast(x[12u / LANES], 12u % LANES) * y;
  sums[13] += subgroupBroadcast(x[13u / LANES], 13u % LANES) * y;
  sums[14] += subgroupBroadcast(x[14u / LANES], 14u % LANES) * y;
  sums[15] += subgroupBroadcast(x[15u / LANES], 15u % LANES) * y;
}

fn storeRow(tile: Tile, r: u32, column: u32, values: vec4<f32>) {
  if (tile.row + r >= params.m) {
    return;
  }
  let at = tile.c + (tile.row + r) * params.n + column;
//#if VECTOR
  if (column < params.n) {
    c[at >> 2u] = values;
  }
//#else
  for (var j = 0u; j < 4u && column + j < params.n; j++) {
    c[at + j] = values[j];
  }
//#endif
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let number = workgroupNumber(workgroup, workgroups);
  if (!hasTile(number, TILE_M, TILE_N)) {
    return;
  }
  let tile = tileOf(number, TILE_M, TILE_N);
  let column = tile.column + 4u * lane;
  let rows = min(tile.row + lane + vec4(0u, LANES, 2u * LANES, 3u * LANES), vec4(params.m - 1u));
  let columns = min(column + vec4(0u, 1u, 2u, 3u), vec4(params.n - 1u));
//#if TRANSPOSE_A
  leftStart = tile.a + rows;
//#else
  leftStart = tile.a + rows * params.k;
//#endif
//#if TRANSPOSE_B
  rightStart = tile.b + columns * params.k;
//#else
  rightStart = tile.b + columns;
//#endif
  for (var i = tile.start; i < tile.end; i += 2u) {
    let x = leftPair(i, tile.end);
    let y = rightPair(i, tile.end);
    accumulate(x[0], y[0]);
    accumulate(x[1], y[1]);
  }
  let shift = vec4(biasOf(columns.x), biasOf(columns.y), biasOf(columns.z), biasOf(columns.w));
  storeRow(tile, 0u, column, sums[0] + shift);
  storeRow(tile, 1u, column, sums[1] + shift);
  storeRow(tile, 2u, column, sums[2] + shift);
  storeRow(tile, 3u, column, sums[3] + shift);
  storeRow(tile, 4u, column, sums[4] + shift);
  storeRow(tile, 5u, column, sums[5] + shift);
  storeRow(tile, 6u, column, sums[6] + shift);
  storeRow(tile, 7u, column, sums[7] + shift);
  storeRow(tile, 8u, column, sums[8] + shift);
  storeRow(tile, 9u, column, sums[9] + shift);
  storeRow(tile, 10u, column, sums[10] + shift);
  storeRow(tile, 11u, column, sums[11] + shift);
  storeRow(tile, 12u, column, sums[12] + shift);
  storeRow(tile, 13u, column, sums[13] + shift);
  storeRow(tile, 14u, column, sums[14] + shift);
  storeRow(tile, 15u, column, sums[15] + shift);
}

// Part of matmul.wgsl. For GPUs: tiles of A and B are copied to workgroup memory, TILE_K depths at a time, and each invocation sums ROWS × 4 · VECTORS elements
// of C in registers. The method is the usual one (Volkov and Demmel, "Benchmarking GPUs to tune dense linear algebra", SC 2008).
//
// Workgroup memory holds quads of four elements that are neighbours in storage: along k for A in nn and nt and for B in nt, along the rows or columns of C
// otherwise. So nothing is transposed on the way, and every read of workgroup memory is a vec4. Tiles of quads along k have a spare quad in each line, which
// spreads their lines over the memory banks. A tile of B holds its elements as they are stored, $B; they are widened on their way to the sums.

const ACROSS = TILE_N / (4u * VECTORS);
const DOWN = TILE_M / ROWS;
const WORKGROUP = ACROSS * DOWN;
const QUADS_K = TILE_K / 4u;

// A tile of quads: LINES of QUADS each, PITCH apart.
//#if TRANSPOSE_A
const LEFT_LINES = TILE_K;
const LEFT_QUADS = TILE_M / 4u;
const LEFT_PITCH = LEFT_QUADS;
//#else
const LEFT_LINES = TILE_M;
const LEFT_QUADS = QUADS_K;
const LEFT_PITCH = QUADS_K + 1u;
//#endif
//#if TRANSPOSE_B
const RIGHT_LINES = TILE_N;
const RIGHT_QUADS = QUADS_K;
const RIGHT_PITCH = QUADS_K + 1u;
//#else
const RIGHT_LINES = TILE_K;
const RIGHT_QUADS = TILE_N / 4u;
const RIGHT_PITCH = RIGHT_QUADS;
//#endif

var<workgroup> left: array<vec4<f32>, LEFT_LINES * LEFT_PITCH>;
var<workgroup> right: array<vec4<$B>, RIGHT_LINES * RIGHT_PITCH>;

// Four elements of A's storage from (line, first) on, in lines of `length`; zeros from `lineEnd` and `end` on.
fn quadOfA(start: u32, line: u32, first: u32, length: u32, lineEnd: u32, end: u32) -> vec4<f32> {
  if (line >= lineEnd || first >= end) {
    return vec4<f32>();
  }
  let at = start + line * length + first;
//#if VECTOR
  return a[at >> 2u];
//#else
  var quad = vec4(a[at], 0.0, 0.0, 0.0);
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
}

fn copyLeft(tile: Tile, depth: u32, local: u32) {
  for (var q = local; q < LEFT_LINES * LEFT_QUADS; q += WORKGROUP) {
    let line = q / LEFT_QUADS;
    let quad = q % LEFT_QUADS;
//#if TRANSPOSE_A
    left[line * LEFT_PITCH + quad] = quadOfA(tile.a, depth + line, tile.row + 4u * quad, params.m, tile.end, params.m);
//#else
    left[line * LEFT_PITCH + quad] = quadOfA(tile.a, tile.row + line, depth + 4u * quad, params.k, params.m, tile.end);
//#endif
  }
}

fn copyRight(tile: Tile, depth: u32, local: u32) {
  for (var q = local; q < RIGHT_LINES * RIGHT_QUADS; q += WORKGROUP) {
    let line = q / RIGHT_QUADS;
    let quad = q % RIGHT_QUADS;
//#if TRANSPOSE_B
    right[line * RIGHT_PITCH + quad] = quadOfB(tile.b, tile.column + line, depth + 4u * quad, params.k, params.n, tile.end);
//#else
    right[line * RIGHT_PITCH + quad] = quadOfB(tile.b, depth + line, tile.column + 4u * quad, params.n, tile.end, params.n);
//#endif
  }
}

// Row r and column 4 · v + j of the invocation's sums, as row and column of the tile.
fn rowOf(down: u32, r: u32) -> u32 {
//#if TRANSPOSE_A
  return 4u * (down + r / 4u * DOWN) + r % 4u;
//#else
  return down + r * DOWN;
//#endif
}

fn columnOf(across: u32, v: u32, j: u32) -> u32 {
//#if TRANSPOSE_B
  return across + (4u * v + j) * ACROSS;
//#else
  return 4u * (across + v * ACROSS) + j;
//#endif
}

// Elements of B at four depths, for the invocation's v-th four columns: a column of the matrix for each column of C in nt, for each depth otherwise.
fn rightBlock(across: u32, v: u32, quad: u32) -> mat4x4<f32> {
//#if TRANSPOSE_B
  let at = columnOf(across, v, 0u) * RIGHT_PITCH + quad;
  const STEP = ACROSS * RIGHT_PITCH;
//#else
  let at = 4u * quad * RIGHT_PITCH + across + v * ACROSS;
  const STEP = RIGHT_PITCH;
//#endif
  return mat4x4<f32>(
    vec4<f32>(right[at]),
    vec4<f32>(right[at + STEP]),
    vec4<f32>(right[at + 2u * STEP]),
    vec4<f32>(right[at + 3u * STEP]),
  );
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let number = workgroupNumber(workgroup, workgroups);
  if (!hasTile(number, TILE_M, TILE_N)) {
    return;
  }
  let tile = tileOf(number, TILE_M, TILE_N);
  let across = local % ACROSS;
  let down = local / ACROSS;
  var sums: array<array<vec4<f32>, VECTORS>, ROWS>;

  for (var depth = tile.start; depth < tile.end; depth += TILE_K) {
    copyLeft(tile, depth, local);
    copyRight(tile, depth, local);
    workgroupBarrier();
    // The bound is not constant: drivers would unroll all of it, and four depths of sums are enough.
    let quads = min(QUADS_K, divideUp(tile.end - depth, 4u));
    for (var quad = 0u; quad < quads; quad++) {
      var y: array<mat4x4<f32>, VECTORS>;
      for (var v = 0u; v < VECTORS; v++) {
        y[v] = rightBlock(across, v, quad);
      }
//#if TRANSPOSE_A
      for (var r = 0u; r < ROWS; r += 4u) {
        let at = 4u * quad * LEFT_PITCH + down + r / 4u * DOWN;
        let x = transpose(mat4x4<f32>(left[at], left[at + LEFT_PITCH], left[at + 2u * LEFT_PITCH], left[at + 3u * LEFT_PITCH]));
        for (var j = 0u; j < 4u; j++) {
          for (var v = 0u; v < VECTORS; v++) {
            sums[r + j][v] += y[v] * x[j];
          }
        }
      }
//#else
      for (var r = 0u; r < ROWS; r++) {
        let x = left[rowOf(down, r) * LEFT_PITCH + quad];
        for (var v = 0u; v < VECTORS; v++) {
//#if TRANSPOSE_B
          sums[r][v] += x * y[v];
//#else
          sums[r][v] += y[v] * x;
//#endif
        }
      }
//#endif
    }
    workgroupBarrier();
  }

  for (var r = 0u; r < ROWS; r++) {
    let row = tile.row + rowOf(down, r);
    for (var v = 0u; v < VECTORS; v++) {
      storeQuad(tile, row, across, v, sums[r][v]);
    }
  }
}

fn storeQuad(tile: Tile, row: u32, across: u32, v: u32, sum: vec4<f32>) {
  if (row >= params.m) {
    return;
  }
  let start = tile.c + row * params.n;
//#if VECTOR_C
  let column = tile.column + columnOf(across, v, 0u);
  if (column < params.n) {
    c[(start + column) >> 2u] = sum + vec4(biasOf(column), biasOf(column + 1u), biasOf(column + 2u), biasOf(column + 3u));
  }
//#else
  for (var j = 0u; j < 4u; j++) {
    let column = tile.column + columnOf(across, v, j);
    if (column < params.n) {
      c[start + column] = sum[j] + biasOf(column);
    }
  }
//#endif
}

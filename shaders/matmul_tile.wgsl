// Part of matmul.wgsl. For GPUs: tiles of A and B are copied to workgroup memory, TILE_K depths at a time, and each
// invocation sums ROWS × 4 · VECTORS elements of C in registers. The method is the usual one (Volkov and Demmel,
// "Benchmarking GPUs to tune dense linear algebra", SC 2008).
//
// Workgroup memory holds the quads as they are, so that every read of it is a vec4, f16 or f32 as $OPERAND says; f16 is
// widened on its way to the sums. Tiles of quads along k have a spare quad in each line, which spreads their lines over
// the memory banks.

const ACROSS = TILE_N / (4u * VECTORS);
const DOWN = TILE_M / ROWS;
const WORKGROUP = ACROSS * DOWN;
const QUADS_K = TILE_K / 4u;

// Quads from one line to the next.
//#if TRANSPOSE_A
const LEFT_PITCH = LEFT_QUADS;
//#else
const LEFT_PITCH = LEFT_QUADS + 1u;
//#endif
//#if TRANSPOSE_B
const RIGHT_PITCH = RIGHT_QUADS + 1u;
//#else
const RIGHT_PITCH = RIGHT_QUADS;
//#endif

var<workgroup> left: array<vec4<$OPERAND>, LEFT_LINES * LEFT_PITCH>;
var<workgroup> right: array<vec4<$OPERAND>, RIGHT_LINES * RIGHT_PITCH>;

fn copyLeft(tile: Tile, depth: u32, local: u32) {
  for (var q = local; q < LEFT_LINES * LEFT_QUADS; q += WORKGROUP) {
    left[q / LEFT_QUADS * LEFT_PITCH + q % LEFT_QUADS] = leftOperand(leftQuad(tile, depth, q));
  }
}

fn copyRight(tile: Tile, depth: u32, local: u32) {
  for (var q = local; q < RIGHT_LINES * RIGHT_QUADS; q += WORKGROUP) {
    right[q / RIGHT_QUADS * RIGHT_PITCH + q % RIGHT_QUADS] = rightOperand(rightQuad(tile, depth, q));
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

// Elements of B at four depths, for the invocation's v-th four columns: a column of the matrix for each column of C in
// nt, for each depth otherwise.
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
        let x = transpose(mat4x4<f32>(
          vec4<f32>(left[at]),
          vec4<f32>(left[at + LEFT_PITCH]),
          vec4<f32>(left[at + 2u * LEFT_PITCH]),
          vec4<f32>(left[at + 3u * LEFT_PITCH]),
        ));
        for (var j = 0u; j < 4u; j++) {
          for (var v = 0u; v < VECTORS; v++) {
            sums[r + j][v] += y[v] * x[j];
          }
        }
      }
//#else
      for (var r = 0u; r < ROWS; r++) {
        let x = vec4<f32>(left[rowOf(down, r) * LEFT_PITCH + quad]);
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

// Part of matmul.wgsl. For GPUs with matrix units (tensor cores), on half products. Tiles of A and B are copied to
// workgroup memory as f16, TILE_K depths at a time, and each subgroup sums a block of the tile, UNITS_M × UNITS_N
// results of the matrix units, in float32. A unit multiplies UNIT_M × UNIT_K by UNIT_K × UNIT_N elements; in which
// order it adds its UNIT_K products is its own matter.
//
// Lines in workgroup memory are as in storage; a unit reads those that run along k as rows of A or columns of B, the
// others the other way round. Each has eight spare elements, which spread the lines over the memory banks and keep them
// aligned to 16 bytes, as drivers require. While the units work on some depths, the next ones are on their way to
// registers, LEFT_COPIES and RIGHT_COPIES quads an invocation. Units are repeated as text, since an array of them must
// not be indexed by a variable.

const LEFT_PITCH = 4u * LEFT_QUADS + 8u;
const RIGHT_PITCH = 4u * RIGHT_QUADS + 8u;

// Subgroups across and down the tile.
const ACROSS = TILE_N / (UNITS_N * UNIT_N);
const DOWN = TILE_M / (UNITS_M * UNIT_M);
const WORKGROUP = LANES * ACROSS * DOWN;
const UNIT_SIZE = UNIT_M * UNIT_N;

var<workgroup> left: array<f16, LEFT_LINES * LEFT_PITCH>;
var<workgroup> right: array<f16, RIGHT_LINES * RIGHT_PITCH>;
// One result of the units for each subgroup, on its way to or from storage.
var<workgroup> staged: array<f32, ACROSS * DOWN * UNIT_SIZE>;

alias Left = subgroup_matrix_left<f16, UNIT_K, UNIT_M>;
alias Right = subgroup_matrix_right<f16, UNIT_N, UNIT_K>;
alias Sum = subgroup_matrix_result<f32, UNIT_N, UNIT_M>;

fn keepLeft(q: u32, quad: vec4<$A>) {
  let values = leftOperand(quad);
  let at = q / LEFT_QUADS * LEFT_PITCH + 4u * (q % LEFT_QUADS);
  left[at] = values.x;
  left[at + 1u] = values.y;
  left[at + 2u] = values.z;
  left[at + 3u] = values.w;
}

fn keepRight(q: u32, quad: vec4<$B>) {
  let values = rightOperand(quad);
  let at = q / RIGHT_QUADS * RIGHT_PITCH + 4u * (q % RIGHT_QUADS);
  right[at] = values.x;
  right[at + 1u] = values.y;
  right[at + 2u] = values.z;
  right[at + 3u] = values.w;
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let number = workgroupNumber(workgroup, workgroups);
  if (!hasTile(number, TILE_M, TILE_N)) {
    return;
  }
  let tile = tileOf(number, TILE_M, TILE_N);
  // First row and column of the subgroup's block in the tile, and its part of `staged`.
  let down = subgroup / ACROSS * UNITS_M * UNIT_M;
  let across = subgroup % ACROSS * UNITS_N * UNIT_N;
  let stage = subgroup * UNIT_SIZE;

//#each j UNITS_N
//#if BIAS
  for (var i = lane; i < UNIT_SIZE; i += LANES) {
    let column = tile.column + across + $j * UNIT_N + i % UNIT_N;
    staged[stage + i] = biasOf(min(column, params.n - 1u));
  }
  workgroupBarrier();
  let bias$j = subgroupMatrixLoad<Sum, row_major>(&staged, stage, UNIT_N);
  workgroupBarrier();
//#each i UNITS_M
  var sum$i$j = bias$j;
//#end
//#else
//#each i UNITS_M
  var sum$i$j = Sum();
//#end
//#endif
//#end

//#each q LEFT_COPIES
  var a$q = leftQuad(tile, tile.start, local + $q * WORKGROUP);
//#end
//#each q RIGHT_COPIES
  var b$q = rightQuad(tile, tile.start, local + $q * WORKGROUP);
//#end
  for (var depth = tile.start; depth < tile.end; depth += TILE_K) {
//#each q LEFT_COPIES
    keepLeft(local + $q * WORKGROUP, a$q);
//#end
//#each q RIGHT_COPIES
    keepRight(local + $q * WORKGROUP, b$q);
//#end
    workgroupBarrier();
//#each q LEFT_COPIES
    a$q = leftQuad(tile, depth + TILE_K, local + $q * WORKGROUP);
//#end
//#each q RIGHT_COPIES
    b$q = rightQuad(tile, depth + TILE_K, local + $q * WORKGROUP);
//#end
    for (var k = 0u; k < TILE_K; k += UNIT_K) {
//#each i UNITS_M
//#if TRANSPOSE_A
      let x$i = subgroupMatrixLoad<Left, col_major>(&left, k * LEFT_PITCH + down + $i * UNIT_M, LEFT_PITCH);
//#else
      let x$i = subgroupMatrixLoad<Left, row_major>(&left, (down + $i * UNIT_M) * LEFT_PITCH + k, LEFT_PITCH);
//#endif
//#end
//#each j UNITS_N
//#if TRANSPOSE_B
      let y$j = subgroupMatrixLoad<Right, col_major>(&right, (across + $j * UNIT_N) * RIGHT_PITCH + k, RIGHT_PITCH);
//#else
      let y$j = subgroupMatrixLoad<Right, row_major>(&right, k * RIGHT_PITCH + across + $j * UNIT_N, RIGHT_PITCH);
//#endif
//#end
//#each j UNITS_N
//#each i UNITS_M
      sum$i$j = subgroupMatrixMultiplyAccumulate(x$i, y$j, sum$i$j);
//#end
//#end
    }
    workgroupBarrier();
  }

  let row = tile.row + down;
  let column = tile.column + across;
  if (tile.row + TILE_M <= params.m && tile.column + TILE_N <= params.n && params.n % 4u == 0u) {
//#each i UNITS_M
//#each j UNITS_N
    subgroupMatrixStore<row_major>(&c, tile.c + (row + $i * UNIT_M) * params.n + column + $j * UNIT_N, sum$i$j, params.n);
//#end
//#end
    return;
  }
//#each i UNITS_M
//#each j UNITS_N
  subgroupMatrixStore<row_major>(&staged, stage, sum$i$j, UNIT_N);
  workgroupBarrier();
  storeStaged(tile, row + $i * UNIT_M, column + $j * UNIT_N, stage, lane);
  workgroupBarrier();
//#end
//#end
}

// Writes the staged elements that lie within C.
fn storeStaged(tile: Tile, row: u32, column: u32, stage: u32, lane: u32) {
  for (var i = lane; i < UNIT_SIZE; i += LANES) {
    let r = row + i / UNIT_N;
    let j = column + i % UNIT_N;
    if (r < params.m && j < params.n) {
      c[tile.c + r * params.n + j] = staged[stage + i];
    }
  }
}

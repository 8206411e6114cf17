// C[batch, splits, m, n] = op(A) · op(B), row-major, for the layouts nn, nt and tn (see kernels/matmul.ts). C and the
// bias are float32; the operands are stored as $A and $B, f32 or f16, and multiplied as $OPERAND: where one is stored
// in f16, the other is rounded to f16 as it is read. A workgroup computes one tile of one C. Split s sums the depths
// from s · depthOfSplit to the next split's first; with more than one split, the C's are partial sums for a later
// kernel. Sums are in float32; they run along k in order unless a method says otherwise. With PACKED, B is a packed
// matrix (lib/packed.wgsl), whose values are widened as they are read. With FUSED it is part of step_product.wgsl.
//#include "lib/grid.wgsl"
//#if PACKED
//#if PACKED_COLUMNS
//#load "lib/packed_layout.wgsl"
//#else
//#load "lib/packed.wgsl"

// The values 4 · quad to 4 · quad + 3 of a line of B, as it lies in storage.
fn packedQuadOfB(line: u32, quad: u32) -> vec4<f32> {
//#if TRANSPOSE_B
  let columns = params.k;
//#else
  let columns = params.n;
//#endif
  return packedQuad(line * packedRowWords(columns), quad, columns);
}
//#endif
//#endif

// What a workgroup computes: the tile of C whose first element is (row, column), from depth `start` to `end`.
struct Tile {
  row: u32,
  column: u32,
  start: u32,
  end: u32,
  // First element of the matrices.
  a: u32,
  b: u32,
  c: u32,
}

// Splits start at multiples of this, so that a step of a kernel never spans two.
const SPLIT_GRAIN = 16u;

fn divideUp(a: u32, b: u32) -> u32 {
  return (a + b - 1u) / b;
}

// Whether there is a tile of that number; the grid may be larger.
fn hasTile(number: u32, rows: u32, columns: u32) -> bool {
  return number < divideUp(params.n, columns) * divideUp(params.m, rows) * params.splits * params.batch;
}

// The tile of a workgroup. Numbers go along columns first, then rows, splits and batch.
fn tileOf(number: u32, rows: u32, columns: u32) -> Tile {
  let across = divideUp(params.n, columns);
  let down = divideUp(params.m, rows);
  let output = number / (across * down);
  let matrix = output / params.splits;
  let depth = divideUp(divideUp(params.k, params.splits), SPLIT_GRAIN) * SPLIT_GRAIN;
  var tile: Tile;
  tile.row = number / across % down * rows;
  tile.column = number % across * columns;
  tile.start = min(params.k, output % params.splits * depth);
  tile.end = min(params.k, tile.start + depth);
  tile.a = matrix * params.m * params.k;
  tile.b = matrix * params.k * params.n;
  tile.c = output * params.m * params.n;
  return tile;
}

fn biasOf(column: u32) -> f32 {
//#if BIAS
  return bias[column];
//#else
  return 0.0;
//#endif
}

//#if WORKGROUP_MEMORY
//#load "matmul_workgroup.wgsl"
//#else
//#include "lib/operands.wgsl"
//#endif
//#if ROW
//#if PACKED_COLUMNS
//#load "matmul_row_packed.wgsl"
//#else
//#load "matmul_row.wgsl"
//#endif
//#endif
//#if SUBGROUP
//#load "matmul_subgroup.wgsl"
//#endif
//#if TILE
//#load "matmul_tile.wgsl"
//#endif
//#if MATRIX
//#load "matmul_matrix.wgsl"
//#endif

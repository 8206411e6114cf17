// Part of step_product.wgsl: what a product of one row does beside multiplying (kernels/stepProduct.ts). A group is 8
// neighbouring columns.
//
// With NORMED, A is the row that an RMSNorm reads times the norm's weight, and `squares` has the sums of the row's
// squares by groups: the norm's factor multiplies the product. With GATED, n is twice the width of c: the gates, then
// what they gate; a lane's even columns are gates, and the odd one that follows is gated. With RESIDUAL, c is the sum
// of `residual` and the product, `scaled` is c times `gain`, and `squares` the sums of c's squares by groups.
//#if GATED
//#include "lib/gate.wgsl"
//#endif

const GROUP_COLUMNS = 8u;

// The column of a lane's sum t; with DEPTHS, of the tile's.
fn stepColumn(tile: Tile, t: u32, lane: u32) -> u32 {
//#if DEPTHS
  let pitch = 1u;
//#else
  let pitch = LANES;
//#endif
//#if GATED
  return tile.column / 2u + t / 2u * pitch + lane + t % 2u * (params.n / 2u);
//#else
  return tile.column + t * pitch + lane;
//#endif
}

//#if NORMED
fn factorOf(squaresOfRow: f32) -> f32 {
  return inverseSqrt(squaresOfRow / f32(params.k) + params.epsilon);
}
//#endif

//#if GATED
fn storeGated(column: u32, gate: f32, up: f32) {
  if (column < params.n / 2u) {
    c[column] = gate * sigmoidOf(gateArgument(gate)) * up;
  }
}
//#endif

//#if RESIDUAL
// Returns the square of what it stores.
fn storeSum(column: u32, product: f32) -> f32 {
  if (column >= params.n) {
    return 0.0;
  }
  let sum = residual[column] + product;
  c[column] = sum;
  scaled[column] = sum * gain[column];
  return sum * sum;
}
//#endif

//#if DEPTHS
// By the first lanes of a workgroup of at least 8 whose sums, one a column of the tile, stand in `parts`. All lanes
// must call it.
fn finish(tile: Tile, lane: u32) {
  var factor = 1.0;
//#if NORMED
  var squaresOfRow = 0.0;
  for (var i = 0u; i < params.k / GROUP_COLUMNS; i++) {
    squaresOfRow += squares[i];
  }
  factor = factorOf(squaresOfRow);
//#endif
//#if GATED
  if (lane < SUMS / 2u) {
    let gate = factor * parts[2u * lane * LANES];
    storeGated(tile.column / 2u + lane, gate, factor * parts[(2u * lane + 1u) * LANES]);
  }
//#else
//#if RESIDUAL
  if (lane < SUMS) {
    parts[lane * LANES] = storeSum(tile.column + lane, parts[lane * LANES]);
  }
  workgroupBarrier();
  if (lane < SUMS / GROUP_COLUMNS) {
    let first = lane * GROUP_COLUMNS;
    var total = 0.0;
    for (var i = first; i < first + GROUP_COLUMNS; i++) {
      total += parts[i * LANES];
    }
    if (tile.column + first < params.n) {
      squares[tile.column / GROUP_COLUMNS + lane] = total;
    }
  }
//#else
  if (lane < SUMS && tile.column + lane < params.n) {
    c[tile.column + lane] = factor * parts[lane * LANES] + biasOf(tile.column + lane);
  }
//#endif
//#endif
}

//#else
// All lanes must call both.
fn normFactor(lane: u32) -> f32 {
//#if NORMED
  var squaresOfRow = 0.0;
  for (var i = lane; i < params.k / GROUP_COLUMNS; i += LANES) {
    squaresOfRow += squares[i];
  }
  return factorOf(subgroupAdd(squaresOfRow));
//#else
  return 1.0;
//#endif
}

// Takes a lane's sums in turn; returns what the next one needs of those before it.
fn finished(t: u32, lane: u32, column: u32, sum: f32, kept: f32) -> f32 {
//#if GATED
  if (t % 2u == 0u) {
    return sum;
  }
  storeGated(column - params.n / 2u, kept, sum);
//#else
//#if RESIDUAL
  let total = kept + storeSum(column, sum);
  if ((t + 1u) * LANES % GROUP_COLUMNS != 0u) {
    return total;
  }
  let squaresOfGroup = subgroupAdd(total);
  if (lane == 0u && column < params.n) {
    squares[column / GROUP_COLUMNS] = squaresOfGroup;
  }
//#else
  if (column < params.n) {
    c[column] = sum + biasOf(column);
  }
//#endif
//#endif
  return 0.0;
}
//#endif

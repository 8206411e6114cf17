// Part of matmul.wgsl. For adapters that run on the CPU, where a subgroup is a SIMD register, a barrier is expensive,
// and a storage read costs as much for each lane as several multiplications. A workgroup is one subgroup of LANES lanes
// and computes GROUPS · LANES rows × 4 · LANES columns. Each lane owns four columns, keeps their sums for all rows, and
// holds the elements of A for GROUPS of the rows (g · LANES + lane), which it hands to the others. The sums are written
// as fma: one instruction where the driver has it, and elsewhere the same bits as a product and a sum. A step takes
// DEPTH depths, 2 or 4, because the loop's bookkeeping of masked lanes costs as much as the sums themselves. Within a
// step the sums go row by row: there are more of them than registers, so each is fetched and put back once a step.
// Lines are repeated as text because drivers that do not unroll loops would keep an array that a loop indexes in
// memory.

// log2 of DEPTH.
const DEPTH_SHIFT = DEPTH / 2u;

fn rightOperands(x: vec4<$B>) -> vec4<f32> {
  return vec4(rightOperand(x.x), rightOperand(x.y), rightOperand(x.z), rightOperand(x.w));
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
  let columns = min(column + vec4(0u, 1u, 2u, 3u), vec4(params.n - 1u));
  // Elements from one depth to the next, and where the lane's rows of A, and its columns of B, start.
//#if TRANSPOSE_A
  let leftStep = params.m;
  let rowStep = 1u;
//#else
  let leftStep = 1u;
  let rowStep = params.k;
//#endif
//#if TRANSPOSE_B
  let rightStep = 1u;
  let right = tile.b + columns * params.k;
//#else
  let rightStep = params.n;
  let right = tile.b + columns;
//#endif
//#each g GROUPS
  let left$g = tile.a + min(tile.row + $g * LANES + lane, params.m - 1u) * rowStep;
//#each t LANES
  var sum$g$t = vec4<f32>();
//#end
//#end
  for (var i = tile.start; i < tile.end; i += DEPTH) {
    // x: the lane's elements of A, by group and depth; y: those of B, of its four columns, by depth.
//#if VECTOR
//#if TRANSPOSE_B
//#if PACKED
    let b0 = packedQuadOfB(columns.x, i / 4u);
    let b1 = packedQuadOfB(columns.y, i / 4u);
    let b2 = packedQuadOfB(columns.z, i / 4u);
    let b3 = packedQuadOfB(columns.w, i / 4u);
//#else
    let at = (right + i) >> vec4(DEPTH_SHIFT);
    let b0 = b[at.x];
    let b1 = b[at.y];
    let b2 = b[at.z];
    let b3 = b[at.w];
//#endif
//#each d DEPTH
    let y$d = rightOperands(vec4(b0[$d], b1[$d], b2[$d], b3[$d]));
//#end
//#else
//#each d DEPTH
//#if PACKED
    let y$d = packedQuadOfB(i + $d, columns.x / 4u);
//#else
    let y$d = rightOperands(b[(right.x + (i + $d) * rightStep) >> 2u]);
//#endif
//#end
//#endif
//#each g GROUPS
//#if TRANSPOSE_A
//#each d DEPTH
    let x$g$d = leftOperand(a[left$g + (i + $d) * leftStep]);
//#end
//#else
    let x$g = a[(left$g + i) >> DEPTH_SHIFT];
//#each d DEPTH
    let x$g$d = leftOperand(x$g[$d]);
//#end
//#endif
//#end
//#else
//#each d DEPTH
    let isInside$d = i + $d < tile.end;
    let depth$d = select(i, i + $d, isInside$d);
//#if PACKED
    let y$d = packedQuadOfB(depth$d, columns.x / 4u);
//#else
    let at$d = right + depth$d * rightStep;
    let y$d = rightOperands(vec4(b[at$d.x], b[at$d.y], b[at$d.z], b[at$d.w]));
//#endif
//#each g GROUPS
    let x$g$d = select(0.0, leftOperand(a[left$g + depth$d * leftStep]), isInside$d);
//#end
//#end
//#endif
//#each g GROUPS
//#each t LANES
//#each d DEPTH
    sum$g$t = fma(vec4($FROM_LANE(x$g$d, u32($t))), y$d, sum$g$t);
//#end
//#end
//#end
  }
  let shift = vec4(biasOf(columns.x), biasOf(columns.y), biasOf(columns.z), biasOf(columns.w));
//#each g GROUPS
//#each t LANES
  storeRow(tile, $g * LANES + $t, column, sum$g$t + shift);
//#end
//#end
}

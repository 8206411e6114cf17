// Part of matmul.wgsl, in layout nt. For few rows of A, where the product takes as long as B takes to read. A workgroup
// computes TILE_M rows × TILE_N columns, and reads A and B in quads along k.
//
// With DEPTHS, for GPUs: the LANES invocations of a workgroup share the depths out, neighbours reading neighbouring
// quads, and each has a sum for every element of the tile. These are added up at the end: by the subgroup that the
// workgroup is (SUBGROUP_SUM), or by a tree in workgroup memory. Without, for adapters on the CPU, where a read costs
// as much for each lane wherever it lies: a workgroup is a subgroup of LANES lanes. Each owns COLUMNS columns and sums
// them along k in order and as fma, as the tiles for many rows do (matmul_subgroup.wgsl), with the same bits. A step
// takes STEP quads of each row of A, which are read once and handed on: the one at place p = row · STEP + quad by lane
// p. With WORDS a B in f16 is read as words of two numbers (WORDS_A: A too), since a word takes as long as half of one.
// For each column a step has READS reads of QUADS_OF_READ quads. Lines are repeated as text because drivers that do not
// unroll loops would keep an array that a loop indexes in memory.

// Four numbers of f16.
fn quadOfWords(first: u32, second: u32) -> vec4<f32> {
  return vec4(unpack2x16float(first), unpack2x16float(second));
}

fn leftQuad(at: u32) -> vec4<f32> {
  let x = a[at];
//#if WORDS_A
  return quadOfWords(x.x, x.y);
//#else
  return vec4(leftOperand(x.x), leftOperand(x.y), leftOperand(x.z), leftOperand(x.w));
//#endif
}

// Where a line of B starts, and its quads: in storage as it is, or widened.
fn rightLine(tile: Tile, line: u32) -> u32 {
//#if PACKED
  return line;
//#else
  return (tile.b + line * params.k) / 4u;
//#endif
}

//#if !WORDS
fn rightQuad(line: u32, quad: u32) -> vec4<f32> {
//#if PACKED
  return packedQuadOfB(line, quad);
//#else
  let y = b[line + quad];
  return vec4(rightOperand(y.x), rightOperand(y.y), rightOperand(y.z), rightOperand(y.w));
//#endif
}
//#endif

fn store(tile: Tile, row: u32, column: u32, sum: f32) {
  if (row < params.m && column < params.n) {
    c[tile.c + row * params.n + column] = sum + biasOf(column);
  }
}

//#if DEPTHS
//#if !SUBGROUP_SUM
const SUMS = TILE_M * TILE_N;
var<workgroup> parts: array<f32, SUMS * LANES>;
//#endif

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = workgroupNumber(workgroup, workgroups);
  if (!hasTile(number, TILE_M, TILE_N)) {
    return;
  }
  let tile = tileOf(number, TILE_M, TILE_N);
//#each r TILE_M
  let left$r = (tile.a + min(tile.row + $r, params.m - 1u) * params.k) / 4u;
//#each t TILE_N
  var sum$r$t = 0.0;
//#end
//#end
//#each t TILE_N
//#if FUSED
  let right$t = rightLine(tile, min(stepColumn(tile, $tu, 0u), params.n - 1u));
//#else
  let right$t = rightLine(tile, min(tile.column + $t, params.n - 1u));
//#endif
//#end
  for (var i = tile.start / 4u + lane; i < tile.end / 4u; i += LANES) {
//#each r TILE_M
    let x$r = leftQuad(left$r + i);
//#end
//#each t TILE_N
    let y$t = rightQuad(right$t, i);
//#end
//#each r TILE_M
//#each t TILE_N
    sum$r$t += dot(x$r, y$t);
//#end
//#end
  }
//#if SUBGROUP_SUM
//#each r TILE_M
//#each t TILE_N
  let total$r$t = subgroupAdd(sum$r$t);
  if (lane == ($r * TILE_N + $t) % LANES) {
    store(tile, tile.row + $r, tile.column + $t, total$r$t);
  }
//#end
//#end
//#else
//#each r TILE_M
//#each t TILE_N
  parts[($r * TILE_N + $t) * LANES + lane] = sum$r$t;
//#end
//#end
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      for (var s = 0u; s < SUMS; s++) {
        parts[s * LANES + lane] += parts[s * LANES + lane + half];
      }
    }
  }
  workgroupBarrier();
//#if FUSED
  finish(tile, lane);
//#else
  if (lane < SUMS) {
    store(tile, tile.row + lane / TILE_N, tile.column + lane % TILE_N, parts[lane * LANES]);
  }
//#endif
//#endif
}

//#else
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
  let place = lane % (TILE_M * STEP);
  let left = (tile.a + min(tile.row + place / STEP, params.m - 1u) * params.k) / 4u + place % STEP;
//#each t COLUMNS
//#if FUSED
  let column$t = stepColumn(tile, $tu, lane);
//#else
  let column$t = tile.column + $t * LANES + lane;
//#endif
  let right$t = rightLine(tile, min(column$t, params.n - 1u));
//#each r TILE_M
  var sum$r$t = 0.0;
//#end
//#end
  for (var i = tile.start / 4u; i < tile.end / 4u; i += STEP) {
    let x = leftQuad(left + i);
//#each p READS
//#each t COLUMNS
//#if WORDS
    let read$p$t = b[(right$t + i) / QUADS_OF_READ + $p];
//#else
    let read$p$t = rightQuad(right$t, i + $p);
//#endif
//#end
//#each s QUADS_OF_READ
//#each t COLUMNS
//#if WORDS
    let y$p$s$t = quadOfWords(read$p$t[2u * $s], read$p$t[2u * $s + 1u]);
//#else
    let y$p$s$t = read$p$t;
//#endif
//#end
//#each r TILE_M
    let x$p$s$r = $FROM_LANE(x, $r * STEP + $p * QUADS_OF_READ + $s);
//#each t COLUMNS
    sum$r$t = fma(x$p$s$r.x, y$p$s$t.x, sum$r$t);
    sum$r$t = fma(x$p$s$r.y, y$p$s$t.y, sum$r$t);
    sum$r$t = fma(x$p$s$r.z, y$p$s$t.z, sum$r$t);
    sum$r$t = fma(x$p$s$r.w, y$p$s$t.w, sum$r$t);
//#end
//#end
//#end
//#end
  }
//#if FUSED
  let factor = normFactor(lane);
  var kept = 0.0;
//#each t COLUMNS
  kept = finished($tu, lane, column$t, factor * sum0$t, kept);
//#end
//#else
//#each t COLUMNS
//#each r TILE_M
  store(tile, tile.row + $r, column$t, sum$r$t);
//#end
//#end
//#endif
}
//#endif

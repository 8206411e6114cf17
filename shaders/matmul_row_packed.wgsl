// Part of matmul.wgsl, in layout nt with a packed B. For few rows of A on adapters on the CPU, as matmul_row.wgsl
// without DEPTHS: each lane owns COLUMNS columns and sums them along k in order and as fma, with the bits that a
// widened B gives. A step takes a group of B, 32 values, and so as many words as a group has: of a type of 4 bits a
// read gives eight values. The quads of A are read once: the lanes hold a group's eight, one each or, where there are
// four lanes, one of each half, and hand them on. HALVES is 2 and QUADS 4: quads 4h + j.

fn leftQuad(at: u32) -> vec4<f32> {
  return a[at];
}

fn store(tile: Tile, row: u32, column: u32, sum: f32) {
  if (row < params.m && column < params.n) {
    c[tile.c + row * params.n + column] = sum + biasOf(column);
  }
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
//#each r TILE_M
  let left$r = (tile.a + min(tile.row + $r, params.m - 1u) * params.k) / 4u + lane;
//#end
//#each t COLUMNS
  let column$t = tile.column + $t * LANES + lane;
  let scales$t = min(column$t, params.n - 1u) * packedRowWords(params.k);
  let groups$t = scales$t + scaleWords(params.k);
//#each r TILE_M
  var sum$r$t = 0.0;
//#end
//#end
  for (var g = 0u; g < params.k / GROUP_VALUES; g++) {
//#each r TILE_M
    let x$r = leftQuad(left$r + 8u * g);
//#if FOUR_LANES
    let second$r = leftQuad(left$r + 8u * g + 4u);
//#endif
//#end
//#each t COLUMNS
    let group$t = groups$t + g * BITS;
//#if !EIGHT_BITS
//#each j QUADS
    let word$t$j = b[group$t + $j];
//#end
//#endif
//#if SIX_BITS
//#each h HALVES
    let upper$t$h = b[group$t + 4u + $h];
    let scale$t$h = packedScale(scales$t, 8u * g + 4u * $h, params.k);
//#end
//#else
    let scale$t = packedScale(scales$t, 8u * g, params.k);
//#endif
//#end
//#each h HALVES
//#each j QUADS
    {
//#each t COLUMNS
//#if EIGHT_BITS
      let y$t = packedValues(packedNumbers(b[group$t + 4u * $h + $j], 0u, 4u * $h + $j), scale$t);
//#else
//#if SIX_BITS
      let y$t = packedValues(packedNumbers(word$t$j, upper$t$h, 4u * $h + $j), scale$t$h);
//#else
      let y$t = packedValues(packedNumbers(word$t$j, 0u, 4u * $h + $j), scale$t);
//#endif
//#endif
//#end
//#each r TILE_M
//#if FOUR_LANES
      let z$r = $FROM_LANE(select(x$r, second$r, $h == 1), $j);
//#else
      let z$r = $FROM_LANE(x$r, 4u * $h + $j);
//#endif
//#each t COLUMNS
      sum$r$t = fma(z$r.x, y$t.x, sum$r$t);
      sum$r$t = fma(z$r.y, y$t.y, sum$r$t);
      sum$r$t = fma(z$r.z, y$t.z, sum$r$t);
      sum$r$t = fma(z$r.w, y$t.w, sum$r$t);
//#end
//#end
    }
//#end
//#end
  }
//#each t COLUMNS
//#each r TILE_M
  store(tile, tile.row + $r, column$t, sum$r$t);
//#end
//#end
}

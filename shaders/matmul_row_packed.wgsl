// Part of matmul.wgsl, in layout nt with a packed B. For few rows of A on adapters on the CPU, as matmul_row.wgsl
// without DEPTHS: each lane owns COLUMNS columns and sums them along k in order and as fma, with the bits that a
// widened B gives. A step takes a group of B, 32 values, and reads it in vectors of words: of a type of 4 bits a read
// gives 32 values. The quads of A are read once: the lanes hold a group's eight, one each or, where there are four
// lanes, one of each half, and hand them on. HALVES is 2 and QUADS 4: quads 4h + j.
//
// Numbers q are not shifted to the end of their words but converted where they stand, as q · 2^n, and multiplied by
// scale · 2^-n. Both factors are exact, and so is their product: the value is the same float32 number. Only what
// stands at the upper end of a word is shifted, since i32 has a sign there.

fn leftQuad(at: u32) -> vec4<f32> {
  return a[at];
}

fn store(tile: Tile, row: u32, column: u32, sum: f32) {
  if (row < params.m && column < params.n) {
    c[tile.c + row * params.n + column] = sum + biasOf(column);
  }
}

// Four words of B from one on that is a multiple of 4, or with 6 bits of 2.
fn wordsAt(word: u32) -> vec4<u32> {
//#if SIX_BITS
  return vec4(b[word / 2u], b[word / 2u + 1u]);
//#else
  return b[word / 4u];
//#endif
}

// Scale and shift of the next group of those whose scales are in four words; with 6 bits of a half of it, and `factor`
// is the block's. Groups are taken in turn: the scales of the next one stand at the front, since drivers take long over
// a component that a loop chooses. Those of q4_k stay where they are, and j is the group's number.
fn scaleOf(words: vec4<u32>, j: u32, half: u32, factor: f32) -> vec2<f32> {
//#if Q4_1
  return unpack2x16float(words.x);
//#endif
//#if Q4_0
  let scale = unpack2x16float(words.x).x;
  return vec2(scale, -8.0 * scale);
//#endif
//#if Q8_0
  let scale = unpack2x16float(words.x).x;
  return vec2(scale, -128.0 * scale);
//#endif
//#if Q4_K
  let byte = 8u * (j & 3u);
  let scales = words.y >> byte;
  let minima = words.z >> byte;
  let last = words.w >> byte;
  let isFirst = j < 4u;
  let scale = select((last & 15u) | ((scales >> 2u) & 48u), scales & 63u, isFirst);
  let minimum = select(((last >> 4u) & 15u) | ((minima >> 2u) & 48u), minima & 63u, isFirst);
  return unpack2x16float(words.x) * vec2(f32(scale), -f32(minimum));
//#endif
//#if Q6_K
  let byte = bitcast<i32>(words.x << (24u - 8u * half)) >> 24u;
  let scale = factor * f32(byte);
  return vec2(scale, -32.0 * scale);
//#endif
}

// The words of scales after a group was taken.
fn nextScales(words: vec4<u32>) -> vec4<u32> {
//#if Q4_1
  return words.yzwx;
//#else
//#if Q4_K
  return words;
//#else
  return (words >> vec4(16u)) | (words.yzwx << vec4(16u));
//#endif
//#endif
}

//#if Q6_K
// The factor of a block's scales, of the row that starts at a word.
fn factorAt(row: u32, block: u32) -> f32 {
  let word = row + params.k / 64u + block / 2u;
  let pair = unpack2x16float(select(b[word / 2u].x, b[word / 2u].y, (word & 1u) == 1u));
  return select(pair.x, pair.y, (block & 1u) == 1u);
}
//#endif

// The numbers of a quad as they stand in a word, q · 2^n, and the scales that go with them.
//#if EIGHT_BITS
const PLACES = vec4(1.0, 0x1p-8, 0x1p-16, 1.0);

fn numbersOf(word: u32) -> vec4<f32> {
  return vec4(f32(i32(word & 0xffu)), f32(i32(word & 0xff00u)), f32(i32(word & 0xff0000u)), f32(i32(word >> 24u)));
}
//#else
//#if SIX_BITS
const PLACES = vec4(1.0, 0x1p-8, 0x1p-16, 0x1p-24);

// `word` has the lower four bits, in the lower halves of its bytes, and `upper` the upper two, from bit 2j on.
fn numbersOf(word: u32, upper: u32, j: u32) -> vec4<f32> {
  let raised = select(upper << ((4u - 2u * j) & 31u), upper >> ((2u * j - 4u) & 31u), j > 2u);
  let numbers = (vec4(word) & vec4(0xfu, 0xf00u, 0xf0000u, 0xf000000u)) |
    (vec4(raised) & vec4(0x30u, 0x3000u, 0x300000u, 0x30000000u));
  return vec4<f32>(vec4<i32>(numbers));
}
//#else
const PLACES0 = vec4(1.0, 0x1p-8, 0x1p-16, 0x1p-24);
const PLACES1 = vec4(0x1p-4, 0x1p-12, 0x1p-20, 1.0);

// Of the lower halves of the bytes.
fn numbers0(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(vec4(word) & vec4(0xfu, 0xf00u, 0xf0000u, 0xf000000u)));
}

// Of the upper halves.
fn numbers1(word: u32) -> vec4<f32> {
  return vec4(f32(i32(word & 0xf0u)), f32(i32(word & 0xf000u)), f32(i32(word & 0xf00000u)), f32(i32(word >> 28u)));
}
//#endif
//#endif

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
  let groups = params.k / GROUP_VALUES;
//#each r TILE_M
  let left$r = (tile.a + min(tile.row + $r, params.m - 1u) * params.k) / 4u + lane;
//#end
//#each t COLUMNS
//#if FUSED
  let column$t = stepColumn(tile, $tu, lane);
//#else
  let column$t = tile.column + $t * LANES + lane;
//#endif
  let row$t = min(column$t, params.n - 1u) * packedRowWords(params.k);
  let first$t = row$t + scaleWords(params.k);
//#each r TILE_M
  var sum$r$t = 0.0;
//#end
//#end
  for (var quad = 0u; quad * GROUPS_OF_QUAD < groups; quad++) {
//#each t COLUMNS
    var scales$t = wordsAt(row$t + 4u * quad);
//#if Q6_K
    let factor$t = factorAt(row$t, quad);
//#else
    let factor$t = 1.0;
//#endif
//#end
    let end = min(GROUPS_OF_QUAD, groups - quad * GROUPS_OF_QUAD);
    for (var g = 0u; g < end; g++) {
      let group = quad * GROUPS_OF_QUAD + g;
//#each r TILE_M
      let x$r = leftQuad(left$r + 8u * group);
//#if FOUR_LANES
      let second$r = leftQuad(left$r + 8u * group + 4u);
//#endif
//#end
//#each t COLUMNS
//#if EIGHT_BITS
//#each h HALVES
      let words$t$h = wordsAt(first$t + 8u * group + 4u * $h);
//#end
//#else
      let words$t = wordsAt(first$t + BITS * group);
//#if SIX_BITS
      let upper$t = b[(first$t + BITS * group + 4u) / 2u];
//#endif
//#endif
//#each h HALVES
      let scale$t$h = scaleOf(scales$t, g, $h, factor$t);
//#end
      scales$t = nextScales(scales$t);
//#end
//#each h HALVES
//#each j QUADS
      {
//#each t COLUMNS
//#if EIGHT_BITS
        let y$t = fma(numbersOf(words$t$h[$j]), scale$t$h.x * PLACES, vec4(scale$t$h.y));
//#else
//#if SIX_BITS
        let y$t = fma(numbersOf(words$t[$j] >> (4u * $h), upper$t[$h], $j), scale$t$h.x * PLACES, vec4(scale$t$h.y));
//#else
        let y$t = fma(numbers$h(words$t[$j]), scale$t$h.x * PLACES$h, vec4(scale$t$h.y));
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

// Part of proximity_dense.wgsl. For adapters that run on the CPU, where a subgroup is a SIMD register, a barrier is
// expensive, and a storage read costs as much for each lane as several multiplications. So a row that was read is
// multiplied with as many as there is room for. A workgroup is one subgroup of LANES lanes. It holds the products of
// ROWS · LANES rows with each other, one triangle of them: each lane reads ROWS of the rows and also hands them to the
// others.
//
// Rows are taken by blocks that begin with a group: as many whole groups as fit in ROWS · LANES rows, or one group that
// is longer. A workgroup has the blocks that begin in its stretch of the rows. A block consists of halves, HALF rows
// each. A step takes two of them: the first with the second, the third with the fourth, and so on, with all pairs in
// them, and of any other two the pairs between them. `totals` and `baseline` keep the sums from step to step; a row's
// are written and read by one lane only, and not used before its first step.

const HALF = ROWS / 2u * LANES;

// The group of a row; an empty range at the row where it has none.
fn groupOf(row: u32) -> vec2<u32> {
  let range = ranges[min(row, params.rows - 1u)];
  return select(vec2(row), range, row < params.rows && range.x < range.y);
}

// The first row from this one on that begins a group.
fn boundaryFrom(row: u32) -> u32 {
  let group = groupOf(row);
  return select(group.y, row, group.x == row);
}

fn endOfBlock(start: u32, last: u32) -> u32 {
  let after = groupOf(start + 2u * HALF);
  let long = max(groupOf(start).y, start + 1u);
  return min(select(long, after.x, after.x > start), last);
}

// Its loops' bounds come from the ranges and are the same for the whole subgroup, which is the whole workgroup.
@compute @workgroup_size(LANES) @diagnostic(off, subgroup_uniformity)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let lastRow = params.rows - 1u;
  let width = params.features / DEPTH;
  let stretch = workgroupNumber(workgroup, workgroups) * 2u * HALF;
  let last = min(boundaryFrom(stretch + 2u * HALF), params.rows);
  var start = boundaryFrom(stretch);
  var end = endOfBlock(start, last);
  // First rows of the two halves. One loop for all steps: SwiftShader takes seconds to compile what is nested deeper.
  var a = start;
  var b = a + HALF;
  while (start < last) {
    let isEven = (a - start) % (2u * HALF) == 0u;
    let isWhole = isEven && b == a + HALF;
//#each g ROWS
    let row$g = select(a, b - HALF, $g >= ROWS / 2u) + $g * LANES + lane;
    let at$g = min(row$g, lastRow) * width;
    var squares$g = 0.0;
//#each t LANES
//#each h ROWS
    var product$g_$t_$h = 0.0;
//#end
//#end
//#end
    for (var i = 0u; i < width; i++) {
//#each g ROWS
      let own$g = x[at$g + i];
      squares$g += dot(own$g, own$g);
//#end
//#each g ROWS
//#each t LANES
      let shared$g_$t = $FROM_LANE(own$g, u32($t));
//#each h ROWS
      if ($h >= $g) {
        product$g_$t_$h += dot(shared$g_$t, own$h);
      }
//#end
//#end
//#end
    }
//#each g ROWS
    let factor$g = factorOf(squares$g);
    let group$g = groupOf(row$g);
    let value$g = vec2(1.0, returns[min(row$g, lastRow)]);
    var sums$g = vec2<f32>();
//#end
    // The rows of one lane with those of all lanes, from the last lane to the first: products move up by a lane in each
    // turn, because no loop can index them.
    for (var turn = 1u; turn <= LANES; turn++) {
      let t = LANES - turn;
//#each g ROWS
      let group$g_t = subgroupShuffle(group$g, t);
      let factor$g_t = subgroupShuffle(factor$g, t);
      let value$g_t = subgroupShuffle(value$g, t);
      var sums$g_t = vec2<f32>();
//#each h ROWS
      if ($h >= $g) {
        var product = 0.0;
//#each t LANES
        let moved$t = product;
        product = product$g_$t_$h;
        product$g_$t_$h = moved$t;
//#end
        let isWanted = row$h >= group$g_t.x && row$h < group$g_t.y && (isWhole || ($g < ROWS / 2u && $h >= ROWS / 2u));
        let weight = select(0.0, weightOf(product * factor$g_t * factor$h), isWanted);
        sums$g_t += weight * value$h;
        sums$h += select(vec2<f32>(), weight * value$g_t, $h > $g);
      }
//#end
      sums$g += select(vec2<f32>(), subgroupAdd(sums$g_t), lane == t);
//#end
    }
//#each g ROWS
    if (row$g < end) {
      let isFirst = a == start && (b == a + HALF || $g >= ROWS / 2u);
      let before = select(vec2(totals[row$g], baseline[row$g]), vec2<f32>(), isFirst);
      totals[row$g] = before.x + sums$g.x;
      baseline[row$g] = before.y + sums$g.y;
    }
//#end
    b += HALF;
    if (b >= end) {
      a += HALF;
      b = a + HALF;
      if (b >= end && isEven) {
        for (var row = start + lane; row < end; row += LANES) {
          baseline[row] = baselineOf(vec2(totals[row], baseline[row]));
        }
        start = end;
        end = endOfBlock(start, last);
        a = start;
        b = a + HALF;
      }
    }
  }
}

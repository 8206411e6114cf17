// Attention with tiles in workgroup memory, for GPUs. A workgroup of 8 × 8 invocations owns BLOCK_ROWS = 32 rows (units
// of queries, or keys) and walks tiles of 32 rows of the other kind. Of the vectors of a head, CHUNK are in workgroup
// memory at a time: `left` holds them for the rows that the workgroup owns, `right` for the tile. CHUNK divides
// HEAD_VECS and is at most 8.
//
// Invocation (i, j) computes the products of left rows i + 8a with right rows j + 8b, as a matrix with column b and row
// a, and sums vector j of the chunk for left rows i + 8a. Rows are spread by 8, and lines are an odd number of vectors
// apart, so that neighbouring invocations read different banks.

const SIDE = 8u;
const INVOCATIONS = SIDE * SIDE;
const PITCH = 9u;
const TILE_VECS = BLOCK_ROWS * CHUNK;
const spread = vec4<u32>(0u, 8u, 16u, 24u);

var<workgroup> left: array<vec4<f32>, BLOCK_ROWS * PITCH>;
var<workgroup> right: array<vec4<f32>, BLOCK_ROWS * PITCH>;
// For left rows i + 8a, as the components of a vector, and right row r: weights[i · 32 + r].
var<workgroup> weights: array<vec4<f32>, SIDE * BLOCK_ROWS>;

// Where element e of a tile of TILE_VECS vectors is in `left` and `right`.
fn tileSlot(e: u32) -> u32 {
  return e / CHUNK * PITCH + e % CHUNK;
}

// The products of the invocation's rows over the chunk.
fn product(i: u32, j: u32) -> mat4x4<f32> {
  let leftRow = (vec4(i) + spread) * PITCH;
  let rightRow = (vec4(j) + spread) * PITCH;
  var sum = mat4x4<f32>();
  for (var c = 0u; c < CHUNK; c++) {
    let a = leftRow + c;
    let b = rightRow + c;
    sum += transpose(mat4x4(left[a.x], left[a.y], left[a.z], left[a.w])) * mat4x4(right[b.x], right[b.y], right[b.z], right[b.w]);
  }
  return sum;
}

fn storeWeights(i: u32, j: u32, weight: mat4x4<f32>) {
  let at = vec4(i * BLOCK_ROWS + j) + spread;
  weights[at.x] = weight[0];
  weights[at.y] = weight[1];
  weights[at.z] = weight[2];
  weights[at.w] = weight[3];
}

// Σ weight · right over the tile's rows in order: column a is vector j for left row i + 8a.
fn weightedSum(i: u32, j: u32) -> mat4x4<f32> {
  var sum = mat4x4<f32>();
  let column = min(j, CHUNK - 1u);
  for (var r = 0u; r < BLOCK_ROWS; r++) {
    let weight = weights[i * BLOCK_ROWS + r];
    let x = right[r * PITCH + column];
    sum += mat4x4(x * weight.x, x * weight.y, x * weight.z, x * weight.w);
  }
  return sum;
}

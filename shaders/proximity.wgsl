// Softmax-weighted baselines of ProxMO (arXiv 2602.19225): baseline[i] = Σ_j softmax_j(x_i·x_j / τ)·(mean return of j),
// over the keys of i's group.
//
// A key stands for rows of one group that have the same sparse unit vector: `keys[j]` = (first entry, end of entries,
// owner, number of rows); `returns[j]` is the sum of their returns, and `ranges[j]` = (first key, end) of the group.
// The entries of a vector are in the order of their columns. Keys with the same owner, unless it is 0, stay out of each
// other's baselines. A key with an empty range is padding. Where a key has nothing to compare with, its baseline is 0.
//
// With MIXED, similarities of other origin are given too, `given[i * stride + k]` of key i and the k-th key of its
// group. The similarity of two keys is the mean of both kinds in which `share` is the weight of those given.
//
// The softmax is online: a running largest logit, with the sum of weights and the weighted sum of returns scaled to it.
// So no row of similarities is stored, and the order of every sum is fixed. Logits start from −1e30 because WGSL need
// not honour infinities.
//
// Form TABLE, for GPUs: a workgroup a query. It spreads the query over a dense table in workgroup memory; its
// invocations take the keys in turn, and their partial softmaxes are merged in a tree. Form SUBGROUP, for software
// drivers: proximity_subgroup.wgsl. The form for software drivers without subgroups of a known size: an invocation a
// query, no barrier and no workgroup memory. The query's columns are a bitmap; the entry of a column is found by
// counting the bits before it.
//#include "lib/grid.wgsl"

struct Softmax {
  largest: f32,
  total: f32,
  sum: f32,
}

const NOTHING = Softmax(-1e30, 0.0, 0.0);

fn merged(a: Softmax, b: Softmax) -> Softmax {
  let largest = max(a.largest, b.largest);
  let scaleA = exp(a.largest - largest);
  let scaleB = exp(b.largest - largest);
  return Softmax(largest, a.total * scaleA + b.total * scaleB, a.sum * scaleA + b.sum * scaleB);
}

//#if MIXED
fn mixed(product: f32, query: u32, place: u32) -> f32 {
  return mix(product, given[query * params.stride + place], params.share);
}
//#endif

fn baselineOf(softmax: Softmax) -> f32 {
  return select(0.0, softmax.sum / max(softmax.total, 1e-30), softmax.total > 0.0);
}

//#if SUBGROUP
//#include "proximity_subgroup.wgsl"
//#else
//#if TABLE

var<workgroup> table: array<f32, FEATURES>;
var<workgroup> parts: array<Softmax, WORKGROUP>;

fn similarity(key: vec4<u32>) -> f32 {
  var product = 0.0;
  for (var entry = key.x; entry < key.y; entry++) {
    product += weights[entry] * table[columns[entry]];
  }
  return product;
}

//#else

// Which columns the query has, 32 a word, and the entry of each word's first column.
var<private> bitmap: array<u32, FEATURES / 32>;
var<private> firstEntry: array<u32, FEATURES / 32>;

fn setQuery(key: vec4<u32>) {
  for (var entry = key.x; entry < key.y; entry++) {
    let column = columns[entry];
    bitmap[column / 32u] |= 1u << (column % 32u);
  }
  var entries = key.x;
  for (var word = 0u; word < FEATURES / 32u; word++) {
    firstEntry[word] = entries;
    entries += countOneBits(bitmap[word]);
  }
}

fn similarity(key: vec4<u32>) -> f32 {
  var product = 0.0;
  for (var entry = key.x; entry < key.y; entry++) {
    let column = columns[entry];
    let bits = bitmap[column / 32u];
    let bit = 1u << (column % 32u);
    if ((bits & bit) != 0u) {
      product += weights[entry] * weights[firstEntry[column / 32u] + countOneBits(bits & (bit - 1u))];
    }
  }
  return product;
}

//#endif

// The softmax of a query over every `step`-th key of its group from `start` on.
fn softmaxOver(query: u32, start: u32, step: u32) -> Softmax {
  let owner = keys[query].z;
  let range = ranges[query];
  var softmax = NOTHING;
  for (var j = range.x + start; j < range.y; j += step) {
    let key = keys[j];
    if (owner != 0u && owner == key.z) {
      continue;
    }
    var product = similarity(key);
//#if MIXED
    product = mixed(product, query, j - range.x);
//#endif
    softmax = merged(softmax, Softmax(product / params.temperature, f32(key.w), returns[j]));
  }
  return softmax;
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
//#if TABLE
  let query = workgroupNumber(workgroup, workgroups);
  if (query >= params.keys) {
    return;
  }
  let own = keys[query];
  for (var column = local; column < params.features; column += WORKGROUP) {
    table[column] = 0.0;
  }
  workgroupBarrier();
  for (var entry = own.x + local; entry < own.y; entry += WORKGROUP) {
    table[columns[entry]] = weights[entry];
  }
  workgroupBarrier();
  parts[local] = softmaxOver(query, local, WORKGROUP);
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (local < half) {
      parts[local] = merged(parts[local], parts[local + half]);
    }
    workgroupBarrier();
  }
  if (local == 0u) {
    baseline[query] = baselineOf(parts[0]);
  }
//#else
  let query = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  if (query >= params.keys) {
    return;
  }
  setQuery(keys[query]);
  baseline[query] = baselineOf(softmaxOver(query, 0u, 1u));
//#endif
}
//#endif

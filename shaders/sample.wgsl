// Draws one token per row of logits, with temperature, top-k and top-p, and gives its log-probability under
// softmax(logits / temperature).
//
// logits: [batch, vocab]; streams: [batch, 3] of (episode, turn, first token index); seed: [2]; controls: (temperature,
// topP, topK); token, logProb: [batch]. The random number of a row is Philox with the key `seed` and the counter
// (episode, turn, first token index + tokenOffset), so it depends on nothing else.
//
// Method: a token weighs exp((logit − largest) / temperature) · 2^31, rounded to an integer, and sums of weights are
// 64-bit integers. They are exact, so the result does not depend on the order of the sums, and every variant draws the
// same token. Tokens below 2^-32 of the likeliest weigh nothing; that moves a probability by less than vocab · 2^-32.
// Top-k and top-p keep the tokens above a threshold, which is found by bisection on the bits of the logits, put in the
// order of the numbers; of tokens that equal the threshold the first ones are kept. Top-p is of what top-k leaves. The
// draw inverts the cumulative weight over the candidates in index order. Temperature 0 takes the largest logit, the
// first of equals. NaN counts as −1e30, infinities as ±1e30.
//
// LANES invocations share a row: one, or a workgroup (COOPERATIVE).
//#include "lib/grid.wgsl"
//#include "lib/philox.wgsl"
//#include "lib/wide.wgsl"

// Weight of the likeliest token.
const FULL_WEIGHT = 2147483648.0;

// Fourth word of the counter, so that these numbers are not those of another use of the same seed ("samp" in ASCII).
const PURPOSE = 0x73616d70u;

// What a token measures: 1, or its weight.
const COUNT = 0u;
const WEIGHT = 1u;

const ALL = 0xffffffffu;

// The tokens that may be drawn: those of ranks above `rank` up to `highest`, and those of `rank` up to index `last`.
struct Candidates {
  rank: u32,
  last: u32,
  highest: u32,
}

struct Row {
  // Of the row's first logit.
  offset: u32,
  largest: f32,
  inverseTemperature: f32,
}

// Candidate tokens on either side of a rank.
struct Census {
  // What the tokens at or above it measure.
  sum: vec2<u32>,
  // The lowest rank at or above it, and the highest below it.
  above: u32,
  below: u32,
}

fn logitAt(offset: u32, token: u32) -> f32 {
  let logit = logits[offset + token];
  let bits = bitcast<u32>(logit);
  if ((bits & 0x7f800000u) == 0x7f800000u) {
    return select(-1e30, 1e30, bits == 0x7f800000u);
  }
  return select(clamp(logit, -1e30, 1e30), 0.0, logit == 0.0);
}

// The bits of a number, changed so that their order as integers is the order of the numbers.
fn rankOf(logit: f32) -> u32 {
  let bits = bitcast<u32>(logit);
  return bits ^ select(0x80000000u, ALL, (bits >> 31u) == 1u);
}

// What a token measures if it is a candidate, else 0.
fn measure(row: Row, token: u32, logit: f32, candidates: Candidates, unit: u32) -> u32 {
  let rank = rankOf(logit);
  if (rank < candidates.rank || rank > candidates.highest || (rank == candidates.rank && token > candidates.last)) {
    return 0u;
  }
  if (unit == COUNT) {
    return 1u;
  }
  return u32(exp((logit - row.largest) * row.inverseTemperature) * FULL_WEIGHT + 0.5);
}

//#if COOPERATIVE
var<workgroup> censuses: array<Census, LANES>;
var<workgroup> bestLogits: array<f32, LANES>;
var<workgroup> bestTokens: array<u32, LANES>;
var<workgroup> found: u32;
//#endif

fn censusAt(pivot: u32, row: Row, candidates: Candidates, unit: u32, lane: u32) -> Census {
  var census = Census(vec2(0u), ALL, 0u);
  for (var token = lane; token < params.vocab; token += LANES) {
    let logit = logitAt(row.offset, token);
    let rank = rankOf(logit);
    let amount = measure(row, token, logit, candidates, unit);
    if (rank >= pivot) {
      census.sum = addWide(census.sum, vec2(amount, 0u));
      census.above = min(census.above, rank);
    } else {
      census.below = max(census.below, rank);
    }
  }
//#if COOPERATIVE
  censuses[lane] = census;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      let other = censuses[lane + half];
      census = Census(addWide(census.sum, other.sum), min(census.above, other.above), max(census.below, other.below));
      censuses[lane] = census;
    }
  }
  census = workgroupUniformLoad(&censuses[0]);
//#endif
  return census;
}

// The first token at which the sum of measures in index order exceeds `goal`, which is below the whole sum.
fn find(goal: vec2<u32>, row: Row, candidates: Candidates, unit: u32, lane: u32) -> u32 {
  let share = (params.vocab + LANES - 1u) / LANES;
  let begin = min(lane * share, params.vocab);
  let end = min(begin + share, params.vocab);
  var sum = vec2(0u);
//#if COOPERATIVE
  var own = vec2(0u);
  for (var token = begin; token < end; token++) {
    own = addWide(own, vec2(measure(row, token, logitAt(row.offset, token), candidates, unit), 0u));
  }
  censuses[lane].sum = own;
  workgroupBarrier();
  for (var other = 0u; other < lane; other++) {
    sum = addWide(sum, censuses[other].sum);
  }
  if (!lessWide(goal, sum) && lessWide(goal, addWide(sum, own))) {
    found = walk(goal, sum, begin, end, row, candidates, unit);
  }
  return workgroupUniformLoad(&found);
//#else
  return walk(goal, sum, begin, end, row, candidates, unit);
//#endif
}

// `find` among tokens begin..end − 1, where those before `begin` measure `before`.
fn walk(goal: vec2<u32>, before: vec2<u32>, begin: u32, end: u32, row: Row, candidates: Candidates, unit: u32) -> u32 {
  var sum = before;
  var token = begin;
  for (; token + 1u < end; token++) {
    sum = addWide(sum, vec2(measure(row, token, logitAt(row.offset, token), candidates, unit), 0u));
    if (lessWide(goal, sum)) {
      break;
    }
  }
  return token;
}

// Keeps the highest of the candidates, as few as measure at least `need`, which is above 0 and not above the whole
// sum.
fn narrow(need: vec2<u32>, row: Row, candidates: Candidates, unit: u32, lane: u32) -> Candidates {
  // The threshold is from `low` to `high`; tokens above `high` measure `above`.
  var low = 0u;
  var high = rankOf(row.largest);
  var above = vec2(0u);
  // Each turn at least halves the distance.
  for (var turn = 0u; turn < 32u && low < high; turn++) {
    let census = censusAt(high - (high - low) / 2u, row, candidates, unit, lane);
    if (lessWide(census.sum, need)) {
      high = census.below;
      above = census.sum;
    } else {
      low = census.above;
    }
  }
  let equals = Candidates(high, select(ALL, candidates.last, high == candidates.rank), high);
  let ofEquals = subtractWide(subtractWide(need, above), vec2(1u, 0u));
  return Candidates(high, find(ofEquals, row, equals, unit, lane), ALL);
}

// The token with the largest logit, the first of equals.
fn likeliest(offset: u32, lane: u32) -> u32 {
  var best = -2e30;
  var bestToken = 0u;
  for (var token = lane; token < params.vocab; token += LANES) {
    let logit = logitAt(offset, token);
    if (logit > best) {
      best = logit;
      bestToken = token;
    }
  }
//#if COOPERATIVE
  bestLogits[lane] = best;
  bestTokens[lane] = bestToken;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      let other = bestLogits[lane + half];
      let otherToken = bestTokens[lane + half];
      if (other > bestLogits[lane] || (other == bestLogits[lane] && otherToken < bestTokens[lane])) {
        bestLogits[lane] = other;
        bestTokens[lane] = otherToken;
      }
    }
  }
  bestToken = workgroupUniformLoad(&bestTokens[0]);
//#endif
  return bestToken;
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
//#if COOPERATIVE
  let index = workgroupNumber(workgroup, workgroups);
  let lane = local;
//#else
  let index = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  let lane = 0u;
//#endif
  if (index >= params.batch) {
    return;
  }
  let temperature = controls[0];
  let topP = controls[1];
  let topK = u32(max(controls[2], 0.0));
  let greedy = !(temperature > 0.0);

  let offset = index * params.vocab;
  let best = likeliest(offset, lane);
  let row = Row(offset, logitAt(offset, best), select(1.0 / max(temperature, 1e-6), 1.0, greedy));
  var candidates = Candidates(0u, ALL, ALL);
  let total = censusAt(0u, row, candidates, WEIGHT, lane).sum;
  var drawn = best;
  if (!greedy) {
    var candidateTotal = total;
    // Top-k, then top-p.
    for (var unit = COUNT; unit <= WEIGHT; unit++) {
      var need = vec2(topK, 0u);
      if (unit == WEIGHT) {
        need = ceilingOfPart(candidateTotal, u32(clamp(topP, 0.0, 0.99999994) * 4294967296.0));
        need.x = max(need.x, select(0u, 1u, need.y == 0u));
      }
      if (select(topK > 0u && topK < params.vocab, topP < 1.0, unit == WEIGHT)) {
        candidates = narrow(need, row, candidates, unit, lane);
        candidateTotal = censusAt(0u, row, candidates, WEIGHT, lane).sum;
      }
    }
    let counter = vec4(streams[index * 3u], streams[index * 3u + 1u], streams[index * 3u + 2u] + params.tokenOffset, PURPOSE);
    drawn = find(floorOfPart(candidateTotal, philox(counter, vec2(seed[0], seed[1])).x), row, candidates, WEIGHT, lane);
  }
  if (lane == 0u) {
    token[index] = drawn;
    logProb[index] = (logitAt(offset, drawn) - row.largest) * row.inverseTemperature - log(wideToFloat(total) / FULL_WEIGHT);
  }
}

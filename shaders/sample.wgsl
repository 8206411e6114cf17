// Draws one token per row of logits, with temperature, top-k and top-p, and gives its log-probability under softmax(logits / temperature).
//
// logits: [batch, vocab]; streams: [batch, 3] of (episode, turn, first token index); seed: [2]; controls: (temperature, topP, topK); token, logProb: [batch].
// The random number of a row is Philox with the key `seed` and the counter (episode, turn, first token index + tokenOffset), so it depends on nothing else.
//
// Method: a token weighs ⌊exp((logit − largest) / temperature) · 2^31⌉, an integer, and sums of weights are 64-bit integers. They are exact, so the result
// does not depend on the order of the sums, and every variant draws the same token. Tokens below 2^-32 of the likeliest weigh nothing; that moves a
// probability by less than vocab · 2^-32. Top-k and top-p keep the tokens above a threshold, which is found bit by bit on the logits' bits in
// numerical order; of tokens that equal the threshold the first ones are kept. Top-p is of what top-k leaves. The draw inverts the cumulative
// weight over the kept tokens in index order. Temperature 0 takes the largest logit, the first of equals. NaN counts as −1e30, infinities as ±1e30.
//
// LANES invocations share a row: one, or a workgroup (COOPERATIVE).
//#include "lib/grid.wgsl"
//#include "lib/philox.wgsl"
//#include "lib/wide.wgsl"

// Weight of the likeliest token.
const FULL_WEIGHT = 2147483648.0;

// Fourth word of the counter, so that these numbers are not those of another use of the same seed ("samp" in ASCII).
const PURPOSE = 0x73616d70u;

// The tokens that may be drawn: those whose rank is above `rank`, and those that equal it up to index `last`.
struct Kept {
  rank: u32,
  last: u32,
}

// What a row's functions share.
struct Row {
  // Of the row's first logit.
  offset: u32,
  largest: f32,
  inverseTemperature: f32,
  lane: u32,
}

// What a sum adds up over the kept tokens.
const COUNT = 0u;
const WEIGHT = 1u;

fn logitAt(offset: u32, token: u32) -> f32 {
  let logit = logits[offset + token];
  let bits = bitcast<u32>(logit);
  if ((bits & 0x7f800000u) == 0x7f800000u) {
    return select(-1e30, 1e30, bits == 0x7f800000u);
  }
  return select(clamp(logit, -1e30, 1e30), 0.0, logit == 0.0);
}

// The bits of a number, so that their order as integers is the order of the numbers.
fn rankOf(logit: f32) -> u32 {
  let bits = bitcast<u32>(logit);
  return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) == 1u);
}

fn weightOf(row: Row, logit: f32) -> u32 {
  return u32(exp((logit - row.largest) * row.inverseTemperature) * FULL_WEIGHT + 0.5);
}

// 1 or the weight, if the token is kept and its rank is from `low` to `high`; else 0.
fn measure(row: Row, token: u32, kept: Kept, unit: u32, low: u32, high: u32) -> u32 {
  let logit = logitAt(row.offset, token);
  let rank = rankOf(logit);
  let inside = rank >= low && rank <= high && (rank > kept.rank || (rank == kept.rank && token <= kept.last));
  var amount = 1u;
  if (unit == WEIGHT) {
    amount = weightOf(row, logit);
  }
  return select(0u, amount, inside);
}

//#if COOPERATIVE
var<workgroup> sums: array<vec2<u32>, LANES>;
var<workgroup> bestLogits: array<f32, LANES>;
var<workgroup> bestTokens: array<u32, LANES>;
var<workgroup> found: u32;
//#endif

// The sum of `measure` over the row.
fn sumOf(row: Row, kept: Kept, unit: u32, low: u32, high: u32) -> vec2<u32> {
  var sum = vec2<u32>(0u);
  for (var token = row.lane; token < params.vocab; token += LANES) {
    sum = addWide(sum, vec2<u32>(measure(row, token, kept, unit, low, high), 0u));
  }
//#if COOPERATIVE
  sums[row.lane] = sum;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (row.lane < half) {
      sums[row.lane] = addWide(sums[row.lane], sums[row.lane + half]);
    }
  }
  sum = workgroupUniformLoad(&sums[0]);
//#endif
  return sum;
}

// The first token at which the sum of `measure` in index order exceeds `goal`, which is below the whole sum.
fn find(row: Row, kept: Kept, unit: u32, low: u32, high: u32, goal: vec2<u32>) -> u32 {
  let share = (params.vocab + LANES - 1u) / LANES;
  let begin = min(row.lane * share, params.vocab);
  let end = min(begin + share, params.vocab);
  var before = vec2<u32>(0u);
//#if COOPERATIVE
  var own = vec2<u32>(0u);
  for (var token = begin; token < end; token++) {
    own = addWide(own, vec2<u32>(measure(row, token, kept, unit, low, high), 0u));
  }
  sums[row.lane] = own;
  workgroupBarrier();
  for (var lane = 0u; lane < row.lane; lane++) {
    before = addWide(before, sums[lane]);
  }
  let mine = !lessWide(goal, before) && lessWide(goal, addWide(before, own));
//#else
  let mine = true;
//#endif
  var token = begin;
  if (mine) {
    for (; token + 1u < end; token++) {
      before = addWide(before, vec2<u32>(measure(row, token, kept, unit, low, high), 0u));
      if (lessWide(goal, before)) {
        break;
      }
    }
  }
//#if COOPERATIVE
  if (mine) {
    found = token;
  }
  token = workgroupUniformLoad(&found);
//#endif
  return token;
}

// Keeps the highest tokens, as few as measure at least `need`.
fn narrow(row: Row, kept: Kept, unit: u32, need: vec2<u32>) -> Kept {
  var rank = 0u;
  for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
    if (!lessWide(sumOf(row, kept, unit, rank | bit, 0xffffffffu), need)) {
      rank |= bit;
    }
  }
  let above = sumOf(row, kept, unit, rank + 1u, 0xffffffffu);
  let ofEquals = subtractWide(subtractWide(need, above), vec2<u32>(1u, 0u));
  return Kept(rank, find(row, kept, unit, rank, rank, ofEquals));
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
  let row = Row(offset, logitAt(offset, best), select(1.0 / max(temperature, 1e-6), 1.0, greedy), lane);
  var kept = Kept(0u, 0xffffffffu);
  let total = sumOf(row, kept, WEIGHT, 0u, 0xffffffffu);
  var drawn = best;
  if (!greedy) {
    var keptTotal = total;
    if (topK > 0u && topK < params.vocab) {
      kept = narrow(row, kept, COUNT, vec2<u32>(topK, 0u));
      keptTotal = sumOf(row, kept, WEIGHT, 0u, 0xffffffffu);
    }
    if (topP < 1.0) {
      let need = ceilingOfPart(keptTotal, u32(clamp(topP, 0.0, 0.99999994) * 4294967296.0));
      kept = narrow(row, kept, WEIGHT, vec2<u32>(max(need.x, select(0u, 1u, need.y == 0u)), need.y));
      keptTotal = sumOf(row, kept, WEIGHT, 0u, 0xffffffffu);
    }
    let counter = vec4<u32>(streams[index * 3u], streams[index * 3u + 1u], streams[index * 3u + 2u] + params.tokenOffset, PURPOSE);
    let word = philox(counter, vec2<u32>(seed[0], seed[1])).x;
    drawn = find(row, kept, WEIGHT, 0u, 0xffffffffu, floorOfPart(keptTotal, word));
  }
  if (lane == 0u) {
    token[index] = drawn;
    logProb[index] = (logitAt(offset, drawn) - row.largest) * row.inverseTemperature - log(wideToFloat(total) / FULL_WEIGHT);
  }
}

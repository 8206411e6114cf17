// What softmax, its logarithm and its entropy need of a row of logits, in one pass, with z = logits / temperature: the
// largest z, Σ exp(z − largest) and Σ exp(z − largest) · (z − largest). Each lane rescales both sums when it meets a
// larger z (Milakov and Gimelshein, arXiv 1805.02867). Rows as in lib/row.wgsl.
//#include "lib/row.wgsl"

struct SoftStatistics {
  largest: f32,
  total: f32,
  weighted: f32,
}

// `first` and `width` count elements of `logits`. All lanes must call it.
fn softStatistics(first: u32, width: u32, lane: u32) -> SoftStatistics {
  var laneLargest = -1e30;
  var total = $ELEMENT(0.0);
  var weighted = $ELEMENT(0.0);
  for (var i = lane; i < width; i += LANES) {
    let z = logits[first + i] * params.inverseTemperature;
    let candidate = maxOf(z);
    if (candidate > laneLargest) {
      let shift = laneLargest - candidate;
      let factor = exp(shift);
      weighted = factor * (weighted + total * shift);
      total *= factor;
      laneLargest = candidate;
    }
    let distance = z - laneLargest;
    let weight = exp(distance);
    total += weight;
    weighted += weight * distance;
  }
  let largest = rowMax(laneLargest, lane);
  let shift = laneLargest - largest;
  let factor = exp(shift);
  return SoftStatistics(
    largest,
    rowSum(factor * sumOf(total), lane),
    rowSum(factor * (sumOf(weighted) + sumOf(total) * shift), lane),
  );
}

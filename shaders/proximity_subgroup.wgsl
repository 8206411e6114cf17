// Part of proximity.wgsl. For adapters that run on the CPU, where a subgroup is a SIMD register, a barrier is
// expensive, and a storage read costs as much for each lane as several multiplications. A workgroup is one subgroup of
// LANES lanes; a lane owns QUERIES queries, each spread over a dense table of its own. The lanes read the keys of the
// queries' groups, and then each key's entries, LANES at a time, one a lane, and hand them to each other by broadcast:
// every entry is read once for QUERIES · LANES queries.

//#each q QUERIES
var<private> table$q: array<f32, FEATURES>;
//#end

// Its loops' bounds come from the lanes' queries and are the same for the whole subgroup, which is the whole workgroup.
@compute @workgroup_size(LANES) @diagnostic(off, subgroup_uniformity)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let lastKey = params.keys - 1u;
  let firstQuery = workgroupNumber(workgroup, workgroups) * QUERIES * LANES + lane;
  var firstOther = params.keys;
  var endOther = 0u;
//#each q QUERIES
  let query$q = firstQuery + $q * LANES;
  let own$q = keys[min(query$q, lastKey)];
  let range$q = select(vec2<u32>(), ranges[min(query$q, lastKey)], query$q < params.keys);
  var softmax$q = NOTHING;
  for (var entry = own$q.x; entry < own$q.y; entry++) {
    table$q[columns[entry]] = weights[entry] / params.temperature;
  }
  firstOther = min(firstOther, subgroupMin(select(params.keys, range$q.x, range$q.x < range$q.y)));
  endOther = max(endOther, subgroupMax(range$q.y));
//#end
  for (var block = firstOther; block < endOther; block += LANES) {
    let laneKey = keys[min(block + lane, lastKey)];
    let laneReturn = returns[min(block + lane, lastKey)];
    for (var t = 0u; t < min(LANES, endOther - block); t++) {
      let key = subgroupShuffle(laneKey, t);
      let summed = subgroupShuffle(laneReturn, t);
//#each q QUERIES
      var logit$q = 0.0;
//#end
      for (var entry = key.x; entry < key.y; entry += LANES) {
        let at = min(entry + lane, params.entries - 1u);
        let column = columns[at];
        let weight = select(0.0, weights[at], entry + lane < key.y);
//#each e LANES
        let column$e = subgroupBroadcast(column, u32($e));
        let weight$e = subgroupBroadcast(weight, u32($e));
//#each q QUERIES
        logit$q += weight$e * table$q[column$e];
//#end
//#end
      }
//#each q QUERIES
      if (block + t >= range$q.x && block + t < range$q.y && (key.z == 0u || key.z != own$q.z)) {
//#if MIXED
        logit$q = mixed(logit$q * params.temperature, query$q, block + t - range$q.x) / params.temperature;
//#endif
        softmax$q = merged(softmax$q, Softmax(logit$q, f32(key.w), summed));
      }
//#end
    }
  }
//#each q QUERIES
  if (query$q < params.keys) {
    baseline[query$q] = baselineOf(softmax$q);
  }
//#end
}

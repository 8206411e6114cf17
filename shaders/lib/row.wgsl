// Rows of a matrix, each handled by one invocation, or by a workgroup (COOPERATIVE) whose lanes reduce together. A
// kernel is written once for both: lane `laneOf` of LANES takes the elements lane, lane + LANES, … of row `rowOf`, and
// `rowSum` and `rowMax` combine what the lanes found. An element is a scalar or a vec4 (VECTOR); `sumOf` and `maxOf`
// reduce one. With SUBGROUPS, subgroups reduce first. A kernel may also keep a row in registers, LANE_VECTORS vectors a
// lane (`registerRowVariants` in kernels/rows.ts). There the lanes are a workgroup, or a subgroup (SUBGROUP), of which
// a workgroup has TEAMS. Nothing is taken for granted about which invocations share a subgroup.
//#include "lib/grid.wgsl"

//#if VECTOR
fn sumOf(v: vec4<f32>) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}
fn maxOf(v: vec4<f32>) -> f32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}
//#else
fn sumOf(v: f32) -> f32 {
  return v;
}
fn maxOf(v: f32) -> f32 {
  return v;
}
//#endif

//#if SUBGROUP
const LANES = WORKGROUP / TEAMS;

fn rowSum(value: f32, lane: u32) -> f32 {
  return subgroupAdd(value);
}
fn rowMax(value: f32, lane: u32) -> f32 {
  return subgroupMax(value);
}

//#if TEAMED
var<workgroup> isFirstOfTeam: array<u32, WORKGROUP>;

// The number of an invocation's subgroup in the workgroup: subgroups count in the order of their first invocations. All
// must call it.
fn teamOf(local: u32) -> u32 {
  let first = subgroupMin(local);
  isFirstOfTeam[local] = select(0u, 1u, local == first);
  workgroupBarrier();
  var before = 0u;
  for (var at = subgroupExclusiveAdd(1u); at < first; at += LANES) {
    before += isFirstOfTeam[at];
  }
  return subgroupAdd(before);
}
//#endif
//#else
//#if COOPERATIVE
const LANES = WORKGROUP;
var<workgroup> laneValues: array<f32, WORKGROUP>;

fn rowOf(workgroup: u32, local: u32) -> u32 {
  return workgroup;
}
fn laneOf(local: u32) -> u32 {
  return local;
}

//#if SUBGROUPS
// The subgroups' results lie where their first lanes are, and every subgroup reduces all of them. So it matters neither
// how many lanes a subgroup has nor which ones. All lanes must call it.
fn rowSum(value: f32, lane: u32) -> f32 {
  let rank = subgroupExclusiveAdd(1u);
  let step = subgroupAdd(1u);
  laneValues[lane] = select(0.0, subgroupAdd(value), rank == 0u);
  workgroupBarrier();
  var part = 0.0;
  for (var at = rank; at < LANES; at += step) {
    part += laneValues[at];
  }
  let total = subgroupAdd(part);
  workgroupBarrier();
  return total;
}
fn rowMax(value: f32, lane: u32) -> f32 {
  let rank = subgroupExclusiveAdd(1u);
  let step = subgroupAdd(1u);
  laneValues[lane] = subgroupMax(value);
  workgroupBarrier();
  var part = value;
  for (var at = rank; at < LANES; at += step) {
    part = max(part, laneValues[at]);
  }
  let largest = subgroupMax(part);
  workgroupBarrier();
  return largest;
}
//#else
// A tree over the lanes; the same order every time. All lanes must call it.
fn rowSum(value: f32, lane: u32) -> f32 {
  laneValues[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      laneValues[lane] += laneValues[lane + half];
    }
    workgroupBarrier();
  }
  let total = laneValues[0];
  workgroupBarrier();
  return total;
}
fn rowMax(value: f32, lane: u32) -> f32 {
  laneValues[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      laneValues[lane] = max(laneValues[lane], laneValues[lane + half]);
    }
    workgroupBarrier();
  }
  let largest = laneValues[0];
  workgroupBarrier();
  return largest;
}
//#endif
//#else
const LANES = 1u;

fn rowOf(workgroup: u32, local: u32) -> u32 {
  return workgroup * WORKGROUP + local;
}
fn laneOf(local: u32) -> u32 {
  return 0u;
}
fn rowSum(value: f32, lane: u32) -> f32 {
  return value;
}
fn rowMax(value: f32, lane: u32) -> f32 {
  return value;
}
//#endif
//#endif

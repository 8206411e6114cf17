// Rows of a matrix, each handled by one invocation, or by a workgroup (COOPERATIVE) whose lanes reduce together. A
// kernel is written once for both: lane `laneOf` of LANES takes the elements lane, lane + LANES, … of row `rowOf`, and
// `rowSum` and `rowMax` combine what the lanes found. An element is a scalar or a vec4 (VECTOR); `sumOf` and `maxOf`
// reduce one. With SUBGROUP_LANES, the size of the adapter's subgroups, which lie in the order of the lanes, subgroups
// reduce first. A kernel may also have a form that holds a row in registers, HELD vectors a lane (`heldRowVariants` in
// kernels/rows.ts). There the lanes are a workgroup, or a subgroup (SUBGROUP), of which a workgroup has TEAMS.
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

//#if SUBGROUP_LANES
// Sums of the subgroups, then those in order. All lanes must call it.
fn rowSum(value: f32, lane: u32) -> f32 {
  let ownPart = subgroupAdd(value);
  if (lane % SUBGROUP_LANES == 0u) {
    laneValues[lane / SUBGROUP_LANES] = ownPart;
  }
  workgroupBarrier();
  var total = 0.0;
  for (var part = 0u; part < LANES; part += SUBGROUP_LANES) {
    total += laneValues[part / SUBGROUP_LANES];
  }
  workgroupBarrier();
  return total;
}
fn rowMax(value: f32, lane: u32) -> f32 {
  let ownPart = subgroupMax(value);
  if (lane % SUBGROUP_LANES == 0u) {
    laneValues[lane / SUBGROUP_LANES] = ownPart;
  }
  workgroupBarrier();
  var largest = laneValues[0];
  for (var part = SUBGROUP_LANES; part < LANES; part += SUBGROUP_LANES) {
    largest = max(largest, laneValues[part / SUBGROUP_LANES]);
  }
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

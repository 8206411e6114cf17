// A flat array in blocks of WORKGROUP · RUN elements, one block a workgroup. An invocation takes every WORKGROUP-th
// element of its block:
//   for (var i = blockStart(number) + local; i < blockEnd(number, count); i += WORKGROUP)
// An element is a scalar or a vec4.
//#include "lib/grid.wgsl"

fn blockStart(workgroup: u32) -> u32 {
  return workgroup * WORKGROUP * RUN;
}
fn blockEnd(workgroup: u32, count: u32) -> u32 {
  return min(count, (workgroup + 1u) * WORKGROUP * RUN);
}

// partial[r] = Σ of a term over run r: elements r · run … (r + 1) · run of the inputs. With ROOT, the square root of
// that. A run is handled as a row of lib/row.wgsl: the order of the sum is fixed.
//#include "lib/row.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let run = rowOf(workgroupNumber(workgroup, workgroups), local);
  let lane = laneOf(local);
  let length = params.run / WIDTH;
  let count = params.count / WIDTH;
  let start = run * length;
  if (start >= max(count, 1u)) {
    return;
  }
  let end = min(count, start + length);
  var terms = $ELEMENT(0.0);
  for (var i = start + lane; i < end; i += LANES) {
    terms += $TERM;
  }
  let total = rowSum(sumOf(terms), lane);
  if (lane == 0u) {
//#if ROOT
    partial[run] = sqrt(total);
//#else
    partial[run] = total;
//#endif
  }
}

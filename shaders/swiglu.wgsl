// y[row, i] = silu(gate) · up, with gate = gateUp[row, i] and up = gateUp[row, i + width]; with BACKWARD, the gradients
// of both from dy. With SAVED, `saved` is gateUp in f16, for the backward pass. Rows of y as in lib/row.wgsl; nothing
// is reduced. Shazeer, arXiv 2002.05202.
//#include "lib/row.wgsl"
//#include "lib/stored.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = rowOf(workgroupNumber(workgroup, workgroups), local);
  if (row >= params.rows) {
    return;
  }
  let width = params.width / WIDTH;
  for (var i = laneOf(local); i < width; i += LANES) {
    let gateAt = 2u * row * width + i;
    let gate = $ELEMENT(gateUp[gateAt]);
    let up = $ELEMENT(gateUp[gateAt + width]);
    // exp(-gate) would overflow below -88.
    let sigmoid = 1.0 / (1.0 + exp(-max(gate, $ELEMENT(-80.0))));
//#if BACKWARD
    let gradient = dy[row * width + i];
    dGateUp[gateAt] = gradient * up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
    dGateUp[gateAt + width] = gradient * gate * sigmoid;
//#else
    y[row * width + i] = stored(gate * sigmoid * up);
//#if SAVED
    saved[gateAt] = stored(gate);
    saved[gateAt + width] = stored(up);
//#endif
//#endif
  }
}

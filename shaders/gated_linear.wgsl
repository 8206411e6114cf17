// y[row, i] = activation(gate) · up, with gate = gateUp[row, i] and up = gateUp[row, i + width]; with BACKWARD, the
// gradients of both from dy. The activation is SiLU, or with GELU that in its tanh form; both are gate · σ(z). With
// SAVED, `saved` is gateUp in f16, for the backward pass. Rows of y as in lib/row.wgsl; nothing is reduced. Shazeer,
// arXiv 2002.05202.
//#include "lib/row.wgsl"
//#include "lib/stored.wgsl"
//#include "lib/gate.wgsl"

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
    let sigmoid = sigmoidOf(gateArgument(gate));
//#if BACKWARD
//#if GELU
    let slope = 1.5957691216 * (1.0 + 0.134145 * gate * gate);
//#else
    let slope = 1.0;
//#endif
    let gradient = dy[row * width + i];
    dGateUp[gateAt] = gradient * up * sigmoid * (1.0 + gate * (1.0 - sigmoid) * slope);
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

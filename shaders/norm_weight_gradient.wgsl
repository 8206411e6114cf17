// Gradient of a norm's weight, in runs of rows: partial[run, :] = Σ over the run's rows of dy[row, :] · (x[row, :] − mean[row]) · scale[row], without the mean unless CENTRED.
// A column sum of the partials follows. One element (or one vec4) per invocation.

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let column = global.x;
  let width = params.width / WIDTH;
  if (column >= width) {
    return;
  }
  let end = min(params.rows, (global.y + 1u) * params.run);
  var sum = $ELEMENT(0.0);
  for (var row = global.y * params.run; row < end; row++) {
//#if CENTRED
    sum += dy[row * width + column] * ((x[row * width + column] - mean[row]) * scale[row]);
//#else
    sum += dy[row * width + column] * (x[row * width + column] * scale[row]);
//#endif
  }
  partial[global.y * width + column] = sum;
}

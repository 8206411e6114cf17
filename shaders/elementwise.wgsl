// y[i] = f(a[i]) or f(a[i], b[i]), for the expression that a row of the table in kernels/elementwise.ts gives.
// One element (or one vec4) per invocation. The expression sees `a`, `b` and `params.factor`.
//#include "lib/grid.wgsl"

//#if BINARY
fn apply(a: $ELEMENT, b: $ELEMENT) -> $ELEMENT {
  return $EXPRESSION;
}
//#else
fn apply(a: $ELEMENT) -> $ELEMENT {
  return $EXPRESSION;
}
//#endif

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = workgroupNumber(workgroup, workgroups) * WORKGROUP + local;
  if (index >= params.count / WIDTH) {
    return;
  }
//#if BINARY
  y[index] = apply(a[index], b[index]);
//#else
  y[index] = apply(a[index]);
//#endif
}

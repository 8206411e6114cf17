// y[i] = f(a[i]) or f(a[i], b[i]), for the expression that a row of the table in kernels/elementwise.ts gives.
// The expression sees `a`, `b` and `params.factor`. Elements as in lib/elements.wgsl.
//#include "lib/elements.wgsl"

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
  let block = workgroupNumber(workgroup, workgroups);
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
//#if BINARY
    y[i] = apply(a[i], b[i]);
//#else
    y[i] = apply(a[i]);
//#endif
  }
}

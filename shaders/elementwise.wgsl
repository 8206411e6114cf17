// y[i] = f(a[i]), f(a[i], b[i]) or f(a[i], b[i], c[i]), for the expression that a row of the table in
// kernels/elementwise.ts gives. The expression sees `a`, `b`, `c` and `params.factor`. a and y may be stored in f16;
// with SAVED, so is `saved`, a copy of a for the backward pass. Elements as in lib/elements.wgsl.
//#include "lib/elements.wgsl"
//#include "lib/stored.wgsl"

//#if ARITY1
fn apply(a: $ELEMENT) -> $ELEMENT {
  return $EXPRESSION;
}
//#else
//#if ARITY2
fn apply(a: $ELEMENT, b: $ELEMENT) -> $ELEMENT {
  return $EXPRESSION;
}
//#else
fn apply(a: $ELEMENT, b: $ELEMENT, c: $ELEMENT) -> $ELEMENT {
  return $EXPRESSION;
}
//#endif
//#endif

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = workgroupNumber(workgroup, workgroups);
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
//#if ARITY1
    y[i] = stored(apply(a[i]));
//#if SAVED
    saved[i] = stored(a[i]);
//#endif
//#else
//#if ARITY2
    y[i] = stored(apply($ELEMENT(a[i]), b[i]));
//#else
    y[i] = stored(apply(a[i], b[i], c[i]));
//#endif
//#endif
  }
}

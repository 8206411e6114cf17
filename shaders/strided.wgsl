// y[i] = f(a[p]) or f(a[p], b[q]), where p and q follow from the coordinates of element i by a stride for each
// dimension: 0 where an operand is repeated along it, and in another order than y's where it is transposed. The
// expression is that of a row in kernels/strided.ts. The innermost dimension has `inner` elements, the OUTER others
// `extent0`, … from the inside out. With vec4 elements, strides of the innermost dimension are 1 and all else is a
// multiple of 4. Elements as in lib/elements.wgsl.
//#include "lib/elements.wgsl"

//#if BINARY
fn apply(a: $ELEMENT, b: $ELEMENT) -> $ELEMENT {
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
  let inner = params.inner / WIDTH;
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
    var rest = i / inner;
    let first = i - rest * inner;
    var p = first * params.innerA;
//#if BINARY
    var q = first * params.innerB;
//#endif
//#each d OUTER
    let before$d = rest / params.extent$d;
    let at$d = rest - before$d * params.extent$d;
    rest = before$d;
    p += at$d * (params.strideA$d / WIDTH);
//#if BINARY
    q += at$d * (params.strideB$d / WIDTH);
//#endif
//#end
//#if BINARY
    y[i] = apply(a[p], b[q]);
//#else
    y[i] = a[p];
//#endif
  }
}

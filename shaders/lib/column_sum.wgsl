// Sums of columns that DEPTH invocations of a workgroup share (SHARED), or that one adds up alone. Invocation `local`
// is number local / COLUMNS of its column's.
//#if SHARED
var<workgroup> depthSums: array<$ELEMENT, COLUMNS * DEPTH>;

// What the invocations of a column found, added in a tree: in invocation 0 of the column. All must call it.
fn sumOverDepths(own: $ELEMENT, local: u32) -> $ELEMENT {
  depthSums[local] = own;
  workgroupBarrier();
  for (var half = DEPTH / 2u; half > 0u; half /= 2u) {
    if (local / COLUMNS < half) {
      depthSums[local] += depthSums[local + half * COLUMNS];
    }
    workgroupBarrier();
  }
  return depthSums[local];
}
//#else
fn sumOverDepths(own: $ELEMENT, local: u32) -> $ELEMENT {
  return own;
}
//#endif

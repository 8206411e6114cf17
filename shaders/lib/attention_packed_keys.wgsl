// The keys of packed sequences, for lib/attention_walks.wgsl: k, v: [rows, kvHeads, headDim]; row i attends rows
// segmentStart[i]..i within the window. All rows of a block attend keys in one walk.
//#include "lib/attention_walks.wgsl"

fn walkFrom(firstRow: u32, lastRow: u32) -> Walk {
  return Walk(firstRow, lastRow, firstKeysOf(vec4(firstRow)).x, lastRow + 1u, 0u);
}

fn firstKeysOf(row: vec4<u32>) -> vec4<u32> {
  let starts = vec4(segmentStart[row.x], segmentStart[row.y], segmentStart[row.z], segmentStart[row.w]);
  return max(starts, windowStart(row));
}

fn keyEndsOf(row: vec4<u32>, walk: Walk) -> vec4<u32> {
  return row + 1u;
}

fn keyVector(at: u32) -> vec4<f32> {
  return vec4<f32>(k[at]);
}

fn valueVector(at: u32) -> vec4<f32> {
  return vec4<f32>(v[at]);
}

// What the attention kernels share: how units of four queries or keys map to places in memory, and small matrix helpers.
// A kernel that includes this has HEAD_VECS = headDim / 4 and the parameters rows, heads and kvHeads.

const lanes = vec4<u32>(0u, 1u, 2u, 3u);

// Scores are divided by √headDim.
const SCALE = 1.0 / sqrt(4.0 * f32(HEAD_VECS));

// Stands for minus infinity, which WGSL may assume does not occur.
const NEVER = -1e30;

// Index of units in [rows, heads]: unit u of a key head is row u / group, head u % group of its group.
fn unitPlace(unit: vec4<u32>, kvHead: u32, group: u32) -> vec4<u32> {
  return (unit / group * params.kvHeads + kvHead) * group + unit % group;
}

fn largestOf(x: vec4<f32>) -> f32 {
  return max(max(x.x, x.y), max(x.z, x.w));
}

fn smallestOf(x: vec4<u32>) -> u32 {
  return min(min(x.x, x.y), min(x.z, x.w));
}

fn largestIndexOf(x: vec4<u32>) -> u32 {
  return max(max(x.x, x.y), max(x.z, x.w));
}

fn scaleColumns(m: mat4x4<f32>, by: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(m[0] * by[0], m[1] * by[1], m[2] * by[2], m[3] * by[3]);
}

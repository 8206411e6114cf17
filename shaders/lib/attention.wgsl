// What the attention kernels share. A kernel that includes this has HEAD_VECS = headDim / 4, the vectors of a head, and
// the parameter `window`, at least 1: a query attends its own key and at most the window - 1 keys before it.

const firstFour = vec4<u32>(0u, 1u, 2u, 3u);

// Scores are divided by √headDim.
const SCALE = 1.0 / sqrt(4.0 * f32(HEAD_VECS));

// Stands for minus infinity, which WGSL may assume does not occur.
const NEVER = -1e30;

// The first of the keys that a query attends whose own key is `own`, of those from 0 on: the window's first.
fn windowStart(own: vec4<u32>) -> vec4<u32> {
  return own - min(own, vec4(params.window - 1u));
}

fn largestOf(x: vec4<f32>) -> f32 {
  return max(max(x.x, x.y), max(x.z, x.w));
}

// The largest element of each column.
fn largestOfColumns(m: mat4x4<f32>) -> vec4<f32> {
  return vec4<f32>(largestOf(m[0]), largestOf(m[1]), largestOf(m[2]), largestOf(m[3]));
}

fn scaleColumns(m: mat4x4<f32>, by: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(m[0] * by[0], m[1] * by[1], m[2] * by[2], m[3] * by[3]);
}

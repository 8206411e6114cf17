// Unsigned 64-bit integers as vec2<u32>(low, high).
// Needs multiplyHigh of lib/philox.wgsl.

fn addWide(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn subtractWide(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn lessWide(a: vec2<u32>, b: vec2<u32>) -> bool {
  return a.y < b.y || (a.y == b.y && a.x < b.x);
}

// ⌊a · fraction / 2^32⌋ for a below 2^63.
fn floorOfPart(a: vec2<u32>, fraction: u32) -> vec2<u32> {
  return addWide(vec2<u32>(a.y * fraction, multiplyHigh(a.y, fraction)), vec2<u32>(multiplyHigh(a.x, fraction), 0u));
}

// ⌈a · fraction / 2^32⌉ for a below 2^63.
fn ceilingOfPart(a: vec2<u32>, fraction: u32) -> vec2<u32> {
  return addWide(floorOfPart(a, fraction), vec2<u32>(select(0u, 1u, a.x * fraction != 0u), 0u));
}

fn wideToFloat(a: vec2<u32>) -> f32 {
  return f32(a.y) * 4294967296.0 + f32(a.x);
}

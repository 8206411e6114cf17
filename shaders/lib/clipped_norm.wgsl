// From here on norm · gradientScale counts as infinite.
const LARGEST = 3.4e38;

// Whether norm · gradientScale is finite, from what is loaded: compilers may assume of what is computed that it is. The
// norm is tested by its bits, and nothing here overflows.
fn isFinite(norm: f32, gradientScale: f32) -> bool {
  return (bitcast<u32>(norm) & 0x7f800000u) != 0x7f800000u && norm < LARGEST / max(gradientScale, 1.0);
}

// What the gradient is multiplied by so that norm · gradientScale, `wholeNorm`, is clipped to maxNorm.
fn clippingFactor(wholeNorm: f32, gradientScale: f32) -> f32 {
  return gradientScale * min(1.0, params.maxNorm / (wholeNorm + 1e-6));
}

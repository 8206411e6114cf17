// Operands of a product, by elements: rounded to f16 where the product is a half product and they are stored in float32
// (kernels/matmul.ts), and widened to float32.

// The nearest f16, ties to even, in float32. Drivers take a conversion to f16 and back for nothing to do, so it is
// computed: neighbours in f16 are 2^-10 of the number's power of two apart, and 2^-24 where that is below 2^-14. What
// lies beyond the largest f16 becomes that; what is not finite stays so.
fn roundedToHalf(x: f32) -> f32 {
  let power = max(bitcast<u32>(x) & 0x7f800000u, 113u << 23u);
  let perUnit = bitcast<f32>((264u << 23u) - power);
  let spacing = bitcast<f32>(power - (10u << 23u));
  let rounded = round(x * perUnit) * spacing;
  return select(clamp(rounded, -65504.0, 65504.0), rounded, power == 0x7f800000u);
}

fn leftOperand(x: $A) -> f32 {
//#if ROUND_A
  return roundedToHalf(x);
//#else
  return f32(x);
//#endif
}

fn rightOperand(x: $B) -> f32 {
//#if ROUND_B
  return roundedToHalf(x);
//#else
  return f32(x);
//#endif
}

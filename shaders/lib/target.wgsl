// Targets beyond the vocabulary. 0xffffffff is padding; any other is a mistake, whose row is NaN.

// 0 for padding, else NaN. From a value that compilers do not know: WGSL refuses constants that are NaN.
fn beyondVocabulary(token: u32) -> f32 {
  return bitcast<f32>(select(0x7fc00000u, 0u, token == 0xffffffffu));
}

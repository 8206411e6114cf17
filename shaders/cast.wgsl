// y[i] = x[i] between float32 and f16. Elements as in lib/elements.wgsl. Narrowing rounds to the nearest f16, ties to
// even, in integers: WGSL leaves the rounding of its own conversion to the driver, and weights must get the same bits
// on every device and on the host. Beyond 65504 it gives infinity, below 2^-14 multiples of 2^-24. Widening is exact.
//#include "lib/elements.wgsl"

//#if NARROW
// The bits of f16 in the low half of each word.
fn halfBits(x: $ELEMENT) -> $WORDS {
  let word = bitcast<$WORDS>(x);
  let magnitude = word & $WORDS(0x7fffffffu);
  // The exponent's bias changes from 127 to 15; a carry out of the fraction moves into the exponent, as it should.
  let normal = (magnitude - $WORDS(112u << 23u) + $WORDS(0xfffu) + ((magnitude >> $WORDS(13u)) & $WORDS(1u))) >> $WORDS(13u);
  // Below 2^-14 the fraction, with its leading one, is shifted to a multiple of 2^-24.
  let fraction = (magnitude & $WORDS(0x7fffffu)) | $WORDS(0x800000u);
  let shift = min($WORDS(126u) - min(magnitude >> $WORDS(23u), $WORDS(112u)), $WORDS(25u));
  let subnormal = (fraction + ($WORDS(1u) << (shift - $WORDS(1u))) - $WORDS(1u) + ((fraction >> shift) & $WORDS(1u))) >> shift;
  let finite = select(normal, subnormal, magnitude < $WORDS(0x38800000u));
  let rounded = select(finite, $WORDS(0x7c00u), magnitude >= $WORDS(0x477ff000u));
  return ((word >> $WORDS(16u)) & $WORDS(0x8000u)) | select(rounded, $WORDS(0x7e00u), magnitude > $WORDS(0x7f800000u));
}

// The conversion of what these bits are is exact. (A bitcast to f16 is not known to every WGSL compiler.)
fn converted(x: $ELEMENT) -> $RESULT {
  let bits = halfBits(x);
//#if VECTOR
  return $RESULT(vec4(unpack2x16float(bits.x | (bits.y << 16u)), unpack2x16float(bits.z | (bits.w << 16u))));
//#else
  return $RESULT(unpack2x16float(bits).x);
//#endif
}
//#else
fn converted(x: $ELEMENT) -> $RESULT {
  return $RESULT(x);
}
//#endif

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = workgroupNumber(workgroup, workgroups);
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
    y[i] = converted(x[i]);
  }
}

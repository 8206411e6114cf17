// Results as storage holds them (kernels/storage.ts). Where that is f16 (HALF) they are rounded, by the driver's own
// conversion, which WGSL lets round either way. A finite one beyond ±65504, the largest that f16 holds, becomes that,
// and what is not finite stays so, by its bits: WGSL compilers may assume that there is no such thing.
fn stored(x: $ELEMENT) -> $STORED {
//#if HALF
  let isFinite = (bitcast<$WORDS>(x) & $WORDS(0x7f800000u)) != $WORDS(0x7f800000u);
  return $STORED(select(x, clamp(x, $ELEMENT(-65504.0), $ELEMENT(65504.0)), isFinite));
//#else
  return x;
//#endif
}

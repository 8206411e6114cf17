// Sine and cosine, good to about 1e-7 for |angle| up to 1e5. WGSL's own are only promised to within 5e-4, and only for
// |angle| ≤ π. The angle is brought into [−π/4, π/4] by subtracting a multiple of π/2 whose three parts have few bits
// each, so that the products are exact (Cody and Waite, 1980); there, Taylor polynomials of degree 9 and 10 are good to
// the last bits. The subtractions are fma: compilers with relaxed arithmetic would add the three parts up first.

struct SinCos {
  sin: $ELEMENT,
  cos: $ELEMENT,
}

fn sinCos(angle: $ELEMENT) -> SinCos {
  let quarters = round(angle * 0.6366197723675814);
  var r = fma(quarters, $ELEMENT(-1.5703125), angle);
  r = fma(quarters, $ELEMENT(-0.0004837512969970703), r);
  r = fma(quarters, $ELEMENT(-0.00000007549789948768648), r);
  let s = r * r;
  let sine = r * (1.0 + s * (-0.16666666666 + s * (0.00833333333 + s * (-0.000198412698 + s * 0.0000027557319))));
  let cosine = 1.0 + s * (-0.5 + s * (0.041666666666 + s * (-0.00138888889 + s * (0.0000248015873 - s * 0.00000027557319))));
  let quadrant = quarters - 4.0 * floor(quarters * 0.25);
  let isOdd = (quadrant == $ELEMENT(1.0)) | (quadrant == $ELEMENT(3.0));
  let sinSign = select($ELEMENT(1.0), $ELEMENT(-1.0), quadrant >= $ELEMENT(2.0));
  let cosSign = select($ELEMENT(1.0), $ELEMENT(-1.0), (quadrant == $ELEMENT(1.0)) | (quadrant == $ELEMENT(2.0)));
  return SinCos(sinSign * select(sine, cosine, isOdd), cosSign * select(cosine, sine, isOdd));
}

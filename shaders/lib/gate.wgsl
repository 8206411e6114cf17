// The gate of a gated activation, gate · σ(z): SiLU, where z is the gate itself, or with GELU that in its tanh form.

fn gateArgument(gate: $ELEMENT) -> $ELEMENT {
//#if GELU
  // tanh u = 2 σ(2u) − 1: one exp, where tanh takes two in some drivers.
  return 1.5957691216 * (gate + 0.044715 * gate * gate * gate);
//#else
  return gate;
//#endif
}

fn sigmoidOf(z: $ELEMENT) -> $ELEMENT {
  // exp(-z) would overflow below -88.
  return 1.0 / (1.0 + exp(-max(z, $ELEMENT(-80.0))));
}

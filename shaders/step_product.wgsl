// A product of one row of a decoding step: matmul.wgsl with FUSED, and with what comes before and after it. A file of
// its own, so that who multiplies matrices alone does not load all of that.
//#include "lib/step_ends.wgsl"
//#include "matmul.wgsl"

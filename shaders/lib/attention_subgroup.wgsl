// Attention on adapters that run on the CPU, where a subgroup is a SIMD register, a barrier is expensive, and a storage
// read costs as much for each lane as several multiplications. A workgroup is one subgroup of LANES lanes. In each step
// lane l reads one row of what all lanes need (a key, or a query) and hands it to the others, four rows at a time:
// BROADCASTS = LANES / 4 tiles a step. So every element is read once for the 4 · LANES rows that the subgroup works on,
// four of them a lane. Tiles are 4×4 matrices, so that the arithmetic is products of matrices in registers.

//#each t BROADCASTS
// The rows that lanes 4t to 4t + 3 hold, one a column.
fn rowsOfLanes$t(own: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    $FROM_LANE(own, 4u * $t),
    $FROM_LANE(own, 4u * $t + 1),
    $FROM_LANE(own, 4u * $t + 2),
    $FROM_LANE(own, 4u * $t + 3),
  );
}
//#end

/**
 * How a kernel whose workgroup is one subgroup of a software adapter reads what another lane holds, at a constant lane:
 * `$FROM_LANE(value, lane)` in its shader.
 *
 * Both functions give the same values. With eight lanes, which only lavapipe has, a shuffle by a constant is one
 * instruction, while a broadcast looks for the first active lane first. With four, a broadcast is the one instruction;
 * SwiftShader's shuffle costs half as much again, for a whole matrix product.
 */
export function readsLanes(lanes: number): { readonly LANES: number; readonly FROM_LANE: string } {
  return { LANES: lanes, FROM_LANE: lanes === 8 ? 'subgroupShuffle' : 'subgroupBroadcast' };
}

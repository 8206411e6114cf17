/** Where elements of tensors lie, by the plainest arithmetic, for references. */

/** The coordinates of element i of a tensor. */
export function coordinatesOf(shape: readonly number[], i: number): number[] {
  const coordinates: number[] = [];
  let rest = i;
  for (const extent of shape.toReversed()) {
    coordinates.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return coordinates;
}

/** The element at some coordinates. */
export function elementAt(shape: readonly number[], coordinates: readonly number[]): number {
  return shape.reduce((index, extent, axis) => index * extent + coordinates[axis]!, 0);
}

/** The element of a tensor that stands at element i of the larger shape to which it is repeated. */
export function indexInto(own: readonly number[], shape: readonly number[], i: number): number {
  const coordinates = coordinatesOf(shape, i).slice(shape.length - own.length);
  return elementAt(
    own,
    coordinates.map((at, axis) => (own[axis] === 1 ? 0 : at)),
  );
}

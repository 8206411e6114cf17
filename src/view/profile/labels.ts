/** Places labels beside circles so that they cover nothing: the first come first, and some find no place. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** In pixels, from the upper left corner. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Label {
  readonly text: string;
  /** Where its baseline begins, ends or has its middle. */
  readonly x: number;
  readonly y: number;
  readonly anchor: 'start' | 'middle' | 'end';
}

export interface Labelled extends Point {
  readonly radius: number;
  /** The first that fits is taken. */
  readonly texts: readonly string[];
}

export interface Surroundings {
  readonly area: Box;
  readonly fontSize: number;
  readonly lines: readonly (readonly Point[])[];
  readonly taken: readonly Box[];
}

/** Width of a letter, in heights of it: more than most have, as no font is known. */
const letterWidth = 0.58;
const gap = 3;

/** @returns a label for each circle, or null */
export function placeLabels(
  circles: readonly Labelled[],
  { area, fontSize, lines, taken }: Surroundings,
): (Label | null)[] {
  const boxes = [...taken];
  const isFree = (box: Box, own: Labelled) =>
    box.left >= area.left &&
    box.right <= area.right &&
    box.top >= area.top &&
    box.bottom <= area.bottom &&
    boxes.every((other) => !overlap(box, other)) &&
    lines.every((line) => !crosses(box, line)) &&
    circles.every((circle) => circle === own || !covers(box, circle));
  return circles.map((circle) => {
    for (const text of circle.texts) {
      const free = candidates(circle, text, fontSize).find(({ box }) => isFree(box, circle));
      if (!free) continue;
      boxes.push(free.box);
      return free.label;
    }
    return null;
  });
}

/** Within a circle that is large enough; else beside, above, below, and at its corners. */
function candidates({ x, y, radius }: Labelled, text: string, fontSize: number): { label: Label; box: Box }[] {
  const width = text.length * letterWidth * fontSize;
  const [side, corner] = [radius + gap, 0.75 * radius + gap];
  const at = (anchor: Label['anchor'], dx: number, dy: number) => {
    const [left, middle] = [x + dx - width * { start: 0, middle: 0.5, end: 1 }[anchor], y + dy];
    const box = { left, top: middle - 0.6 * fontSize, right: left + width, bottom: middle + 0.6 * fontSize };
    return { label: { text, anchor, x: x + dx, y: middle + 0.35 * fontSize }, box };
  };
  const below = radius + gap + 0.6 * fontSize;
  return [
    ...(width < 1.7 * radius ? [at('middle', 0, 0)] : []),
    at('start', side, 0),
    at('end', -side, 0),
    at('middle', 0, -below),
    at('middle', 0, below),
    at('start', corner, -corner),
    at('start', corner, corner),
    at('end', -corner, -corner),
    at('end', -corner, corner),
  ];
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function covers(box: Box, { x, y, radius }: Labelled): boolean {
  const dx = x - Math.min(box.right, Math.max(box.left, x));
  const dy = y - Math.min(box.bottom, Math.max(box.top, y));
  return dx * dx + dy * dy < radius * radius;
}

/** Whether a line of several points runs through a box. */
function crosses(box: Box, line: readonly Point[]): boolean {
  return line.slice(1).some((to, index) => {
    const from = line[index]!;
    // Liang and Barsky: the part of the segment that is within each pair of sides.
    let [first, last] = [0, 1];
    for (const [start, way, low, high] of [
      [from.x, to.x - from.x, box.left, box.right],
      [from.y, to.y - from.y, box.top, box.bottom],
    ] as const) {
      if (way === 0) {
        if (start < low || start > high) return false;
        continue;
      }
      const [a, b] = [(low - start) / way, (high - start) / way];
      first = Math.max(first, Math.min(a, b));
      last = Math.min(last, Math.max(a, b));
    }
    return first <= last;
  });
}

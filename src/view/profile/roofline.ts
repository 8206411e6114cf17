/**
 * Where everything of a roofline picture goes (Williams, Waterman and Patterson, Roofline, 2009): kernels by operations
 * a byte and operations a second, under the roofs that copies and matrix products make. The page and the SVG file draw
 * it each in their own way. All places are in pixels.
 */
import { type ScaleLogarithmic, scaleLog } from 'd3-scale';
import type { Ceilings } from '../../gpu/rates.ts';
import { type Family, familyOf } from './families.ts';
import { figure } from './kernelWords.ts';
import { type Box, type Label, type Point, placeLabels } from './labels.ts';
import type { ProfileTotal } from './profileFile.ts';

export type RooflineKernel = ProfileTotal & { readonly op: string };

export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** The fastest that kernels could be, from the left edge to the right. */
export interface Roof {
  readonly points: readonly Point[];
  /** What products it is of, and what they reached; empty where the other roof's text says it. */
  readonly text: string;
  /** Whether it is of f16, drawn beside that of float32. */
  readonly isHalf: boolean;
}

/** What copies reached, written above the slope around a point of it, at an angle in degrees. */
export interface SlopeText {
  readonly text: string;
  readonly at: Point;
  readonly angle: number;
}

export interface PlacedKernel {
  readonly kernel: RooflineKernel;
  /** Place by time among all kernels, from 1. */
  readonly rank: number;
  readonly family: Family;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Where it really lies: beyond that edge of the picture; an angle in degrees, 0 to the right, 90 down. */
  readonly beyond: number | null;
  /** Null where there is no room. */
  readonly label: Label | null;
}

export interface RooflineLayout {
  readonly x: readonly Tick[];
  readonly y: readonly Tick[];
  readonly roofs: readonly Roof[];
  /** Null where there is no room. */
  readonly slope: SlopeText | null;
  /** The longest first. */
  readonly kernels: readonly PlacedKernel[];
  /** Share of the time in kernels that compute nothing, and so have no place. */
  readonly withoutPlace: number;
}

export interface RooflineOptions {
  /** Where the picture's axes are. */
  readonly area: Box;
  /** Height of the labels' letters. */
  readonly fontSize: number;
  /** Kernels up to this rank have their number in a list beside, so it will do as a label. */
  readonly listed?: number;
}

/** This share of the time, at either end of an axis, may lie beyond it. */
const beyond = 0.005;
/** Decades that an axis reaches at most: below the roof, and to either side of the ridge. */
const [deepest, widest] = [4, 3];
const smallestRadius = 3.5;
/** Of the mark of a kernel beyond the edge. */
const triangleLength = 10;
/** Radius of a kernel that takes all the time, in heights of the picture. */
const largestRadius = 0.13;

/** @param kernels all that ran, also those that compute nothing */
export function layOutRoofline(
  kernels: readonly RooflineKernel[],
  ceilings: Ceilings,
  { area, fontSize, listed = 0 }: RooflineOptions,
): RooflineLayout {
  const longest = kernels.toSorted((a, b) => b.ms - a.ms);
  const total = longest.reduce((sum, { ms }) => sum + ms, 0);
  const shown = longest.filter(({ flops, bytes, ms }) => flops > 0 && bytes > 0 && ms > 0);
  const { x, y } = axes(shown, ceilings, area);
  const roofs = roofsOf(ceilings, x, y, fontSize);
  const texts = shortNames(shown);
  const placed = shown.map((kernel) => {
    const [trueX, trueY] = [x(kernel.flops / kernel.bytes), y(kernel.flops / kernel.ms / 1e6)];
    const at = { x: clamp(trueX, area.left, area.right), y: clamp(trueY, area.top, area.bottom) };
    const isBeyond = trueX !== at.x || trueY !== at.y;
    return {
      kernel,
      rank: longest.indexOf(kernel) + 1,
      family: familyOf(kernel.op),
      ...at,
      radius: Math.max(smallestRadius, largestRadius * (area.bottom - area.top) * Math.sqrt(kernel.ms / total)),
      beyond: isBeyond ? (180 / Math.PI) * Math.atan2(trueY - at.y, trueX - at.x) : null,
    };
  });
  const slope = slopeText(ceilings, x, y, placed, fontSize);
  const labels = placeLabels(
    placed.map(({ x, y, radius, beyond, rank, kernel }) => {
      const number = rank <= listed ? [String(rank)] : [];
      // A triangle reaches farther than the circle in whose place it stands.
      const reach = beyond === null ? radius : Math.max(radius, triangleLength);
      return { x, y, radius: reach, texts: [texts.get(kernel.name)!, ...number] };
    }),
    {
      area,
      fontSize,
      lines: roofs.map(({ points }) => points),
      taken: [...roofs.map((roof) => roofTextBox(roof, fontSize)), ...(slope ? slopeBoxes(slope, fontSize) : [])],
    },
  );
  return {
    x: ticksOf(x),
    y: ticksOf(y),
    roofs,
    slope,
    kernels: placed.map((kernel, index) => ({ ...kernel, label: labels[index]! })),
    withoutPlace: total > 0 ? 1 - shown.reduce((sum, { ms }) => sum + ms, 0) / total : 0,
  };
}

type Axis = ScaleLogarithmic<number, number>;

/** Scales that hold all but the outliers, whatever their distance: those are marked at the edge. */
function axes(kernels: readonly RooflineKernel[], { gflops, halfGflops = 0, gbps }: Ceilings, area: Box) {
  const weights = kernels.map(({ ms }) => ms);
  const ends = (values: readonly number[]) =>
    [beyond, 1 - beyond].map((share) => weightedQuantile(values, weights, share));
  const [left = 1, right = 1] = ends(kernels.map(({ flops, bytes }) => flops / bytes));
  const [low = 1, high = 1] = ends(kernels.map(({ flops, ms }) => flops / ms / 1e6));
  const [ridge, roof] = [gflops / gbps, Math.max(gflops, halfGflops)];
  const x = [
    Math.max(Math.min(left / 1.6, ridge / 4), ridge / 10 ** widest),
    Math.min(Math.max(right * 3, (4 * roof) / gbps), ridge * 10 ** widest),
  ];
  const y = [Math.max(Math.min(low / 1.6, roof / 30), roof / 10 ** deepest), Math.max(high, roof) * 2];
  return { x: scaleLog(x, [area.left, area.right]), y: scaleLog(y, [area.bottom, area.top]) };
}

/** The value below which lies that share of the weight; 1 where there is no value. */
function weightedQuantile(values: readonly number[], weights: readonly number[], share: number): number {
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  let left = share * weights.reduce((sum, weight) => sum + weight, 0);
  for (const index of order) {
    left -= weights[index]!;
    if (left <= 0) return values[index]!;
  }
  return values[order.at(-1) ?? -1] ?? 1;
}

function roofsOf({ gflops, halfGflops, gbps }: Ceilings, x: Axis, y: Axis, fontSize: number): Roof[] {
  const [least = 1, most = 1] = x.domain();
  const roof = (reached: number, precision: string, isHalf: boolean): Roof => ({
    text: `${precision}matrix products: ${figure(reached)} GFLOP/s`,
    isHalf,
    // The slope of the second would lie on that of the first.
    points: [
      ...(isHalf ? [gflops / gbps] : [least]).map((at) => ({ x: x(at), y: y(at * gbps) })),
      { x: x(reached / gbps), y: y(reached) },
      { x: x(most), y: y(reached) },
    ],
  });
  const whole = roof(gflops, '', false);
  if (halfGflops === undefined || halfGflops <= gflops) return [whole];
  const half = roof(halfGflops, 'f16 ', true);
  if (y(gflops) - y(halfGflops) > 1.5 * fontSize) return [whole, half];
  // One text for both, where there is no room for two.
  return [
    { ...whole, text: '' },
    { ...half, text: `${whole.text}, of f16 ${figure(halfGflops)}` },
  ];
}

/** A roof's text stands above its right end. */
export function roofTextAt({ points }: Roof): Point {
  const end = points.at(-1)!;
  return { x: end.x - 16, y: end.y - 7 };
}

function roofTextBox(roof: Roof, fontSize: number): Box {
  const { x, y } = roofTextAt(roof);
  return { left: x - roof.text.length * 0.6 * fontSize, top: y - fontSize, right: x, bottom: y + 2 };
}

/** The text along the slope, where it is farthest from all kernels; null where it would lie on one. */
function slopeText(
  { gflops, gbps }: Ceilings,
  x: Axis,
  y: Axis,
  circles: readonly (Point & { readonly radius: number })[],
  fontSize: number,
): SlopeText | null {
  const [low, high] = [x.domain()[0]!, gflops / gbps];
  const [from, to] = [low, high].map((intensity) => ({ x: x(intensity), y: y(intensity * gbps) })) as [Point, Point];
  const angle = (180 / Math.PI) * Math.atan2(to.y - from.y, to.x - from.x);
  const text = `copies: ${figure(gbps)} GB/s`;
  const places = Array.from({ length: 13 }, (_, step): SlopeText => {
    const share = (step + 4) / 20;
    return { text, angle, at: { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) } };
  });
  const room = (place: SlopeText) =>
    Math.min(
      ...slopeBoxes(place, fontSize).flatMap(({ left, right, top, bottom }) =>
        circles.map((each) => Math.hypot(each.x - (left + right) / 2, each.y - (top + bottom) / 2) - each.radius),
      ),
    );
  const best = places.reduce((most, place) => (room(place) > room(most) ? place : most));
  return room(best) > fontSize / 2 ? best : null;
}

/** Boxes along the text that hold it, as it is aslant. */
function slopeBoxes({ text, at, angle }: SlopeText, fontSize: number): Box[] {
  const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  const half = fontSize * 0.6;
  const reach = (text.length * half) / 2;
  return Array.from({ length: 7 }, (_, step) => {
    const along = ((step - 3) / 3) * reach;
    const middle = { x: at.x + along * cos + fontSize * sin, y: at.y + along * sin - fontSize * cos };
    return { left: middle.x - half, right: middle.x + half, top: middle.y - half, bottom: middle.y + half };
  });
}

/** Powers of ten, and steps between where there would be few. */
function ticksOf(axis: Axis): Tick[] {
  const [low = 1, high = 1] = axis.domain();
  const exponents = Array.from(
    { length: Math.ceil(Math.log10(high / low)) + 2 },
    (_, i) => Math.floor(Math.log10(low)) + i,
  );
  const powers = (steps: readonly number[]) =>
    exponents
      .flatMap((exponent) => steps.map((step) => step * 10 ** exponent))
      .filter((value) => value >= low && value <= high);
  const plain = powers([1]);
  return (plain.length > 3 ? plain : powers([1, 3])).map((value) => ({ at: axis(value), text: figure(value) }));
}

/** Names of kernels as short as they can be told apart: the op, and what sets its variants apart from each other. */
function shortNames(kernels: readonly RooflineKernel[]): Map<string, string> {
  const words = ({ name, op }: RooflineKernel) => name.slice(op.length + 1).split('.');
  return new Map(
    kernels.map((kernel) => {
      const own = words(kernel);
      const others = kernels.filter((other) => other !== kernel && other.op === kernel.op).map(words);
      const telling = own.filter((word, at) => others.some((other) => other[at] !== word));
      return [kernel.name, [kernel.op, ...telling].join(' ')];
    }),
  );
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

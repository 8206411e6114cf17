/** The figures of a study's report. */
import * as Plot from '@observablehq/plot';
import { percent } from '../table.ts';
import { type BandPoint, type Comparison, measures, type StudyFigures, smoothing } from './comparison.ts';
import { type Phase, phases, type Seconds } from './results.ts';
import { type Interval, leastSeeds } from './statistics.ts';
import { colours, drawSvg } from './svg.ts';

export interface Figure {
  /** Of its file. */
  readonly name: string;
  readonly caption: string;
  readonly svg: string;
}

const width = 760;
const dotRow = 30;
/** Keeps figures readable where they stand on a line. */
const halo = { stroke: colours.ground, strokeWidth: 4 } as const;

/** @param reference the arm that the others are held against */
export function drawFigures(figures: StudyFigures, reference: string): Figure[] {
  const { arms, againstReference, curves } = figures;
  const ends = arms.map(({ name, final, warmStart }) => ({ name, ...final, warmStart: warmStart.mean }));
  // A run that was only warm-started has no iteration to be timed.
  const timed = arms.flatMap(({ name, seconds }) => (seconds ? [{ name, seconds }] : []));
  const hasSeeds = arms.some(({ seeds }) => seeds.length > 1);
  return [
    finalFigure(ends),
    ...measures.flatMap(({ name, what }) => {
      const those = againstReference.filter(({ measure }) => measure === name);
      return those.length === 0 ? [] : [differenceFigure(name, what, those, reference)];
    }),
    ...(curves.training.length > 0
      ? curveFigures('training', `success in training, mean of ${smoothing} iterations`, curves.training, reference)
      : []),
    ...(new Set(curves.heldOut.map(({ iteration }) => iteration)).size > 2
      ? curveFigures('held-out', 'held-out success', curves.heldOut, reference)
      : []),
    ...(timed.length > 0 ? [secondsFigure(timed, hasSeeds)] : []),
  ];
}

interface End {
  readonly name: string;
  readonly mean: number;
  readonly interval: Interval | null;
  readonly warmStart: number;
}

function finalFigure(ends: readonly End[]): Figure {
  const order = ends.map(({ name }) => name);
  const rows = ends.map((end) => ({ ...end, low: end.interval?.[0] ?? end.mean, high: end.interval?.[1] ?? end.mean }));
  const caption = `Held-out success after training (dot${intervalNote(ends)}) and after the warm start (ring).`;
  return {
    name: 'final-success',
    caption,
    svg: drawSvg(caption, {
      ...dotLayout(order),
      x: {
        ...percentAxis,
        label: 'held-out success, % →',
        nice: true,
        ...roomAround(
          rows.flatMap(({ low, high, warmStart }) => [low, high, warmStart]),
          [0, 100],
        ),
      },
      marks: [
        Plot.gridX({ stroke: colours.faint, strokeOpacity: 1 }),
        Plot.link(rows, { x1: 'warmStart', x2: 'mean', y1: 'name', y2: 'name', stroke: colours.faint, strokeWidth: 2 }),
        Plot.ruleY(rows.filter(hasLength), { x1: 'low', x2: 'high', y: 'name', stroke: colours.blue, strokeWidth: 3 }),
        Plot.dot(rows, { x: 'warmStart', y: 'name', r: 4, stroke: colours.muted, fill: colours.ground }),
        Plot.dot(rows, { x: 'mean', y: 'name', r: 5, fill: colours.blue }),
        Plot.text(rows, {
          x: 'high',
          y: 'name',
          text: ({ mean }: End) => percent(mean),
          textAnchor: 'start',
          dx: 9,
          fill: colours.ink,
          ...halo,
        }),
      ],
    }),
  };
}

/** What a caption says of the intervals of means, which those of few seeds lack. */
function intervalNote(means: readonly { readonly interval: Interval | null }[]): string {
  if (means.every(({ interval }) => interval === null)) return '';
  return `, with its interval${means.some(({ interval }) => interval === null) ? ` where there are ${leastSeeds} seeds` : ''}`;
}

function differenceFigure(name: string, what: string, comparisons: readonly Comparison[], reference: string): Figure {
  const rows = comparisons.map(({ arm, mean, studentInterval, verdict }) => ({
    arm,
    points: 100 * mean,
    low: 100 * (studentInterval?.[0] ?? mean),
    high: 100 * (studentInterval?.[1] ?? mean),
    isSeparated: verdict === 'separated' || verdict === 'separated alone',
  }));
  const intervals = comparisons.some(({ studentInterval }) => studentInterval !== null)
    ? ', with its t interval over seeds'
    : '';
  const separated = rows.some(({ isSeparated }) => isSeparated)
    ? ' (orange where it is separated, by itself at least)'
    : '';
  const caption = `Difference to ${reference} in ${what}${intervals}${separated}.`;
  const colour = ({ isSeparated }: (typeof rows)[number]) => (isSeparated ? colours.orange : colours.blue);
  return {
    name: `difference-${name}`,
    caption,
    svg: drawSvg(caption, {
      ...dotLayout(rows.map(({ arm }) => arm)),
      x: {
        label: `points of success more than ${reference} →`,
        nice: true,
        ...roomAround([0, ...rows.flatMap(({ low, high }) => [low, high])], [-1, 1]),
      },
      color: { type: 'identity' },
      marks: [
        Plot.gridX({ stroke: colours.faint, strokeOpacity: 1 }),
        Plot.ruleX([0], { stroke: colours.ink }),
        Plot.ruleY(rows.filter(hasLength), { x1: 'low', x2: 'high', y: 'arm', stroke: colour, strokeWidth: 3 }),
        Plot.dot(rows, { x: 'points', y: 'arm', r: 5, fill: colour }),
        Plot.text(rows, {
          x: 'high',
          y: 'arm',
          text: ({ points }: (typeof rows)[number]) => `${points >= 0 ? '+' : '−'}${Math.abs(points).toFixed(1)}`,
          textAnchor: 'start',
          dx: 9,
          fill: colours.ink,
          ...halo,
        }),
      ],
    }),
  };
}

const percentAxis = { percent: true } as const;

/** A rule without length would be drawn from edge to edge where it is all that an axis has. */
function hasLength({ low, high }: { readonly low: number; readonly high: number }): boolean {
  return high > low;
}

/** A domain, in the unit of the axis, for values that are all the same, which span none. */
function roomAround(values: readonly number[], domain: Interval): { domain?: Interval } {
  return values.every((value) => value === values[0]) ? { domain } : {};
}

/** A row for each name, in order, with room for names on the left and figures on the right. */
function dotLayout(order: readonly string[]): Plot.PlotOptions {
  const longest = Math.max(...order.map(({ length }) => length));
  return {
    width,
    height: 60 + dotRow * order.length,
    marginLeft: 20 + 7 * longest,
    marginRight: 60,
    marginTop: 10,
    marginBottom: 40,
    y: { domain: [...order], label: null, tickSize: 0, type: 'point' },
  };
}

const columns = 3;

/** Success over iterations and over episodes: a panel for each arm, which shows the reference too. */
function curveFigures(name: string, what: string, points: readonly BandPoint[], reference: string): Figure[] {
  return (['iteration', 'episodes'] as const).map((axis) => {
    const order = [...new Set(points.map(({ arm }) => arm))];
    const panelOf = (arm: string) => ({
      fx: order.indexOf(arm) % columns,
      fy: Math.floor(order.indexOf(arm) / columns),
    });
    const own = points.map((point) => ({
      ...point,
      ...panelOf(point.arm),
      low: point.interval?.[0],
      high: point.interval?.[1],
    }));
    const others = order.flatMap((panel) =>
      points.filter(({ arm }) => arm !== panel && arm === reference).map((point) => ({ ...point, ...panelOf(panel) })),
    );
    const titles = order.map((arm) => ({ arm, ...panelOf(arm) }));
    const key = titles.filter(({ arm }) => arm !== reference && order.includes(reference)).slice(0, 1);
    const panel = { fx: 'fx', fy: 'fy' } as const;
    const by = axis === 'iteration' ? 'iteration' : 'training episodes';
    const caption = `${what[0]!.toUpperCase()}${what.slice(1)}, by ${by}${bandNote(points)}${key.length > 0 ? `; dashed: ${reference}` : ''}.`;
    const svg = drawSvg(caption, {
      width,
      height: 40 + 150 * Math.ceil(order.length / columns),
      marginLeft: 38,
      marginBottom: 38,
      marginRight: 14,
      // The last figure under one panel and the first under the next must not meet.
      fx: { axis: null, padding: 0.14 },
      fy: { axis: null, padding: 0.12 },
      x: { label: axis === 'iteration' ? 'iteration →' : 'training episodes →', ticks: 4 },
      y: { ...percentAxis, label: '% success', ticks: 4, nice: true },
      marks: [
        Plot.gridY({ stroke: colours.faint, strokeOpacity: 1, ticks: 4 }),
        Plot.areaY(own, { ...panel, x: axis, y1: 'low', y2: 'high', fill: colours.blue, fillOpacity: 0.25 }),
        Plot.line(others, {
          ...panel,
          x: axis,
          y: 'mean',
          stroke: colours.orange,
          strokeDasharray: '4 3',
          strokeWidth: 1.5,
        }),
        Plot.line(own, { ...panel, x: axis, y: 'mean', stroke: colours.blue, strokeWidth: 2 }),
        Plot.text(titles, {
          ...panel,
          text: 'arm',
          frameAnchor: 'top-left',
          dx: 6,
          dy: 2,
          fontWeight: 600,
          fill: colours.blue,
        }),
        Plot.text(key, {
          ...panel,
          text: () => `dashed: ${reference}`,
          frameAnchor: 'top-left',
          dx: 6,
          dy: 18,
          fill: colours.orange,
        }),
      ],
    });
    return { name: `${name}-by-${axis}`, caption, svg };
  });
}

/** What a caption says of curves over seeds. */
function bandNote(points: readonly BandPoint[]): string {
  if (points.some(({ interval }) => interval !== null)) return ': mean and interval over seeds';
  return points.some(({ seeds }) => seeds > 1) ? ': mean over seeds' : '';
}

const phaseColours: Readonly<Record<Phase, string>> = {
  rollout: colours.blue,
  advantage: colours.orange,
  update: colours.green,
};
const phaseNames: Readonly<Record<Phase, string>> = { rollout: 'rollout', advantage: 'advantages', update: 'update' };

interface TimedArm {
  readonly name: string;
  readonly seconds: Seconds;
}

function sumOfPhases({ seconds }: TimedArm): number {
  return phases.reduce((sum, phase) => sum + seconds[phase], 0);
}

/** @param arms at least one @param hasSeeds whether figures are means over several */
function secondsFigure(arms: readonly TimedArm[], hasSeeds: boolean): Figure {
  const rows = arms.flatMap(({ name, seconds }) =>
    phases.map((phase) => ({ name, phase, seconds: seconds[phase], colour: phaseColours[phase] })),
  );
  const first = arms[0]!;
  // Each phase is named once, in the first bar, where it has room; the thin one above its edge.
  const starts = phases.map((_, index) => phases.slice(0, index).reduce((sum, each) => sum + first.seconds[each], 0));
  const labels = phases.map((phase, index) => ({
    name: first.name,
    phase: phaseNames[phase],
    at: starts[index]! + first.seconds[phase] / 2,
    colour: phaseColours[phase],
  }));
  const caption = `Seconds of an iteration by phase: medians over iterations${hasSeeds ? ', means over seeds' : ''}; beside a bar the sum of its phases.`;
  return {
    name: 'seconds',
    caption,
    svg: drawSvg(caption, {
      ...dotLayout(arms.map(({ name }) => name)),
      marginTop: 26,
      height: 76 + dotRow * arms.length,
      x: { label: 'seconds an iteration →' },
      y: { domain: arms.map(({ name }) => name), label: null, tickSize: 0, type: 'band', padding: 0.25 },
      color: { type: 'identity' },
      marks: [
        Plot.barX(rows, Plot.stackX({ x: 'seconds', y: 'name', fill: 'colour', order: null, insetRight: 1 })),
        Plot.text(labels, { x: 'at', y: 'name', text: 'phase', dy: -20, fill: 'colour', fontWeight: 600 }),
        Plot.text(arms, {
          x: sumOfPhases,
          y: 'name',
          text: (arm: TimedArm) => sumOfPhases(arm).toFixed(2),
          textAnchor: 'start',
          dx: 6,
          fill: colours.ink,
        }),
      ],
    }),
  };
}

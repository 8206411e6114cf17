/** How much faster fleets are than one process, as a picture: a panel for each workload, a line for each network. */
import * as Plot from '@observablehq/plot';
import { colours, drawSvg } from '../../src/cli/study/svg.ts';

export interface SpeedPoint {
  readonly work: string;
  readonly net: string;
  readonly workers: number;
  /** Times as fast as one process of speed 1. */
  readonly speed: number;
}

const panel = 150;

export function speedUpSvg(title: string, points: readonly SpeedPoint[]): string {
  const works = [...new Set(points.map(({ work }) => work))];
  const nets = [...new Set(points.map(({ net }) => net))];
  const ends = works.flatMap((work) =>
    points.filter((point) => point.work === work && point.workers === 1).slice(0, 1),
  );
  return drawSvg(title, {
    width: 760,
    height: 90 + panel * works.length,
    marginLeft: 50,
    marginRight: 20,
    marginTop: 30,
    x: { type: 'log', base: 2, label: 'workers', ticks: [1, 4, 16, 64, 256, 1024], tickFormat: String },
    y: {
      type: 'log',
      label: 'times as fast as one process',
      grid: true,
      tickFormat: (value: number) => String(value),
      ticks: 3,
    },
    fy: { domain: works, label: null, axis: null },
    color: { domain: nets, range: [colours.blue, colours.green, colours.orange, colours.muted], legend: false },
    marks: [
      Plot.ruleY([1], { stroke: colours.faint }),
      Plot.lineY(points, { x: 'workers', y: 'speed', z: 'net', stroke: 'net', fy: 'work', strokeWidth: 1.5 }),
      Plot.text(ends, {
        frameAnchor: 'top-left',
        dx: 6,
        dy: -10,
        fy: 'work',
        text: 'work',
        fill: colours.ink,
        fontWeight: 600,
      }),
      ...nets.map((net, index) =>
        Plot.text([net], {
          ...{ fy: () => works[0], frameAnchor: 'top-right', lineAnchor: 'top', dy: 4 + 14 * index },
          ...{ fill: () => net, text: () => net },
        }),
      ),
    ],
  });
}

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
/** Of the vertical axis, where it reaches them. */
const ticks = [1 / 16, 1 / 4, 1, 4, 16];

export function speedUpSvg(title: string, points: readonly SpeedPoint[]): string {
  const works = [...new Set(points.map(({ work }) => work))];
  const nets = [...new Set(points.map(({ net }) => net))];
  const speeds = points.map(({ speed }) => speed);
  const domain = [Math.min(...speeds), Math.max(...speeds)] as const;
  const ends = works.flatMap((work) =>
    points.filter((point) => point.work === work && point.workers === 1).slice(0, 1),
  );
  return drawSvg(title, {
    width: 760,
    height: 110 + panel * works.length,
    marginLeft: 50,
    marginRight: 20,
    marginTop: 50,
    x: { type: 'log', base: 2, label: 'workers', ticks: [1, 4, 16, 64, 256, 1024], tickFormat: String },
    y: {
      type: 'log',
      label: 'times as fast as one process',
      grid: true,
      domain,
      base: 2,
      tickFormat: (value: number) => String(value),
      ticks: ticks.filter((tick) => tick >= domain[0] && tick <= domain[1]),
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
      // In the margin, where no line is.
      ...nets.map((net, index) =>
        Plot.text([net], {
          ...{ fy: () => works[0], frameAnchor: 'top-right', dx: -140 * (nets.length - 1 - index), dy: -30 },
          ...{ fill: () => net, text: () => net },
        }),
      ),
    ],
  });
}

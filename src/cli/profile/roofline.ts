/**
 * The roofline picture (Williams et al., Roofline, 2009): kernels by operations a byte and operations a second, under
 * the roof that the adapter's copies and matrix products make. A circle's area is the kernel's share of the time; the
 * legend numbers the longest. Kernels without arithmetic have no place in it.
 */
import type { Ceilings } from '../bench/rows.ts';
import type { Total } from './summary.ts';

const [width, height] = [1040, 560];
const plot = { left: 70, top: 50, right: 620, bottom: 500 };
const mostKernels = 18;

/** A logarithmic axis from one power of ten to another. */
class LogAxis {
  readonly decades: readonly number[];

  constructor(
    values: readonly number[],
    private readonly from: number,
    private readonly to: number,
  ) {
    const first = Math.floor(Math.log10(Math.min(...values)));
    const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
    this.decades = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }

  get least(): number {
    return 10 ** this.decades[0]!;
  }

  get most(): number {
    return 10 ** this.decades.at(-1)!;
  }

  at(value: number): number {
    const [first, last] = [this.decades[0]!, this.decades.at(-1)!];
    return this.from + ((Math.log10(value) - first) / (last - first)) * (this.to - this.from);
  }
}

interface Point {
  readonly name: string;
  readonly intensity: number;
  readonly gflops: number;
  readonly share: number;
}

/** @param totals kernels, the longest first */
export function rooflineSvg(totals: readonly Total[], { gflops: roof, gbps }: Ceilings, title: string): string {
  const gpuMs = totals.reduce((sum, { ms }) => sum + ms, 0);
  const placed = totals.filter(({ flops, bytes, ms }) => flops > 0 && bytes > 0 && ms > 0);
  const points = placed.slice(0, mostKernels).map(({ name, flops, bytes, ms }) => ({
    name,
    intensity: flops / bytes,
    gflops: flops / ms / 1e6,
    share: ms / gpuMs,
  }));
  const ridge = roof / gbps;
  const x = new LogAxis([...points.map(({ intensity }) => intensity), ridge / 3, ridge * 3], plot.left, plot.right);
  const y = new LogAxis([...points.map(({ gflops }) => gflops), roof], plot.bottom, plot.top);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<clipPath id="plot"><rect x="${plot.left}" y="${plot.top}" width="${plot.right - plot.left}" height="${plot.bottom - plot.top}"/></clipPath>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${plot.left}" y="28" font-size="15">${escapeXml(title)}</text>`,
    ...gridLines(x, y),
    ...roofLines(x, y, roof, gbps),
    ...points.map((point, index) => circle(point, index + 1, x, y)).reverse(),
    ...legend(points),
    '</svg>',
    '',
  ].join('\n');
}

function gridLines(x: LogAxis, y: LogAxis): string[] {
  const line = (x1: number, y1: number, x2: number, y2: number) =>
    `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#ddd"/>`;
  return [
    ...x.decades.flatMap((decade) => {
      const at = x.at(10 ** decade);
      return [line(at, plot.top, at, plot.bottom), label(at, plot.bottom + 18, power(decade), 'middle')];
    }),
    ...y.decades.flatMap((decade) => {
      const at = y.at(10 ** decade);
      return [line(plot.left, at, plot.right, at), label(plot.left - 8, at + 4, power(decade), 'end')];
    }),
    label((plot.left + plot.right) / 2, plot.bottom + 40, 'operations a byte', 'middle'),
    `<text transform="translate(20 ${(plot.top + plot.bottom) / 2}) rotate(-90)" text-anchor="middle">GFLOP/s</text>`,
  ];
}

function roofLines(x: LogAxis, y: LogAxis, roof: number, gbps: number): string[] {
  const corners = [
    [x.least, x.least * gbps],
    [roof / gbps, roof],
    [x.most, roof],
  ] as const;
  const path = corners.map(([intensity, gflops]) => `${round(x.at(intensity))},${round(y.at(gflops))}`).join(' ');
  return [
    `<polyline points="${path}" fill="none" stroke="#333" stroke-width="2" clip-path="url(#plot)"/>`,
    label(
      plot.right - 4,
      y.at(roof) - 8,
      `matmul ${roof.toPrecision(3)} GFLOP/s, copy ${gbps.toPrecision(3)} GB/s`,
      'end',
    ),
  ];
}

function circle({ name, intensity, gflops, share }: Point, number: number, x: LogAxis, y: LogAxis): string {
  const [cx, cy] = [round(x.at(intensity)), round(y.at(gflops))];
  const radius = round(Math.max(5, 40 * Math.sqrt(share)));
  return [
    `<circle cx="${cx}" cy="${cy}" r="${radius}" fill="${colour(number)}" fill-opacity="0.5" stroke="${colour(number)}"><title>${escapeXml(name)}</title></circle>`,
    label(cx, cy + 4, String(number), 'middle'),
  ].join('');
}

function legend(points: readonly Point[]): string[] {
  return points.map(({ name, share }, index) => {
    const at = plot.top + 10 + 24 * index;
    const left = plot.right + 24;
    return [
      `<circle cx="${left}" cy="${at}" r="6" fill="${colour(index + 1)}" fill-opacity="0.5" stroke="${colour(index + 1)}"/>`,
      label(left + 14, at + 4, `${index + 1}  ${name}  ${(100 * share).toFixed(1)} %`, 'start'),
    ].join('');
  });
}

function label(x: number, y: number, text: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escapeXml(text)}</text>`;
}

/** Hues a golden angle apart. */
function colour(number: number): string {
  return `hsl(${Math.round((number * 137.5) % 360)} 65% 45%)`;
}

function power(decade: number): string {
  return decade >= -3 && decade <= 4 ? String(Number((10 ** decade).toPrecision(1))) : `1e${decade}`;
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

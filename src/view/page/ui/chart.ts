/** Curves over iterations. The newest figure stands beside the title, or the one under the pointer. */
import { signal, useSignal } from '@preact/signals';
import { scaleLinear } from 'd3-scale';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { chosenTheme, isDark } from './colour.ts';
import type { Term as Name } from './glossary.ts';
import { type Children, html } from './html.ts';
import { Term } from './tip.ts';

export interface Series {
  readonly label: string;
  /** Custom property of the style sheet, as `--praise`. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  /** Drawn as a point an evaluation, and a line between. */
  readonly hasPoints?: boolean;
  readonly width?: number;
  /** Below this curve and above the other, the space is tinted. */
  readonly low?: readonly (number | null)[];
  readonly high?: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  readonly term: Name;
  readonly x: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** Of the figures on the vertical scale, where it is another one. */
  readonly axis?: (value: number) => string;
  readonly height?: number;
  /** Ends of the scale; default: what the values need. */
  readonly range?: readonly [number | null, number | null];
  readonly note?: Children;
  readonly onPick?: (x: number) => void;
}

/** About so many figures on the vertical scale. */
const ticks = 3;

const cssValue = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Curves side by side show the same iteration under the pointer. */
const cursor = uPlot.sync('iteration');
const pointed = signal<number | null>(null);

export function Chart(props: ChartProps) {
  const { title, term, x, series, format, height = 132, note } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useSignal('');
  theme.value = `${isDark.value} ${chosenTheme.value}`;
  const shape = `${theme.value} ${series.map(({ label, colour, low }) => `${label} ${colour} ${!!low}`).join()} ${height}`;
  const latest = useRef(props);
  latest.current = props;

  // `shape` says when the plot must be made anew.
  useEffect(() => {
    const element = host.current!;
    const made = new uPlot(
      optionsOf(props, element.clientWidth, () => latest.current),
      dataOf(props),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  // a plot takes its data as a whole.
  useEffect(() => plot.current?.setData(dataOf(props)), [x, ...series.map(({ values }) => values)]);

  const at = pointed.value === null ? -1 : x.indexOf(pointed.value);
  return html`<figure class="chart" aria-label=${title}>
    <figcaption>
      <${Term} name=${term}>${title}</${Term}>
      ${at >= 0 && html`<span class="muted">at ${x[at]}</span>`}
      <span class="readouts">
        ${series.map(({ label, colour, values }) => {
          const value = at >= 0 ? values[at] : values.findLast((each) => each !== null);
          return html`<span class="readout">
            ${series.length > 1 && html`<i class="key" style=${{ background: `var(${colour})` }} />${label}`}
            <b>${value === null || value === undefined ? '–' : format(value)}</b>
          </span>`;
        })}
      </span>
    </figcaption>
    <div class="plot" ref=${host} style=${{ height: `${height}px` }} />
    ${note && html`<p class="note">${note}</p>`}
  </figure>`;
}

/** uPlot's columns: x, then for each series its values and, where it has one, its band. */
function dataOf({ x, series }: ChartProps): uPlot.AlignedData {
  const columns = series.flatMap(({ values, low, high }) => (low && high ? [values, low, high] : [values]));
  return [x, ...columns] as uPlot.AlignedData;
}

function optionsOf(props: ChartProps, width: number, latest: () => ChartProps): uPlot.Options {
  const { series, height = 132, range } = props;
  const columns: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const { label, colour, hasPoints = false, width: line = 1.75, low, high } of series) {
    const stroke = cssValue(colour);
    columns.push({ label, stroke, width: line, spanGaps: true, points: { show: hasPoints, size: 6, fill: stroke } });
    if (!low || !high) continue;
    const edge: uPlot.Series = { stroke: 'transparent', width: 0, spanGaps: true, points: { show: false } };
    bands.push({ series: [columns.length + 1, columns.length], fill: `${stroke}26` });
    columns.push(edge, edge);
  }
  const axis = { stroke: cssValue('--muted'), font: `11px ${cssValue('--font')}`, ticks: { show: false } };
  const grid = { stroke: cssValue('--line'), width: 1 };
  return {
    width,
    height,
    series: columns,
    bands,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { sync: { key: cursor.key }, y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { time: false, range: ({ data: [x] }) => endsOf(x) },
      y: { range: (_, low, high) => rangeOf(low, high, range) },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 22,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
        values: (_, splits) => splits.map((value) => (Number.isInteger(value) && value >= 0 ? String(value) : '')),
      },
      {
        ...axis,
        grid,
        size: 46,
        gap: 4,
        splits: (_, __, low, high) => scaleLinear().domain([low, high]).ticks(ticks),
        values: (_, splits) => splits.map((value) => (latest().axis ?? latest().format)(value)),
      },
    ],
    hooks: {
      setCursor: [
        (self) => {
          const { idx } = self.cursor;
          const x = idx === null || idx === undefined || (self.cursor.left ?? -1) < 0 ? null : self.data[0][idx];
          pointed.value = x ?? null;
        },
      ],
      ready: [
        (self) => {
          self.over.addEventListener('click', () => {
            if (pointed.peek() !== null) latest().onPick?.(pointed.peek()!);
          });
        },
      ],
    },
  };
}

/** Ends of the horizontal scale: what there is, and a little around it where that is a single iteration. */
function endsOf(x: ArrayLike<number>): [number, number] {
  const [first, last] = [x[0] ?? 0, x[x.length - 1] ?? 1];
  return first === last ? [first - 1, last + 1] : [first, last];
}

/** Ends of the vertical scale, at round numbers. */
function rangeOf(low: number, high: number, range: ChartProps['range']): [number, number] {
  const [from, to] = [range?.[0] ?? low, range?.[1] ?? high];
  // Around nothing but zeros every round number of a share would read 0 %.
  if (!Number.isFinite(from) || !Number.isFinite(to) || (from === 0 && to === 0)) return [0, 1];
  const [least, most] = from < to ? [from, to] : [from - Math.abs(from) * 0.1, to + Math.max(Math.abs(to) * 0.1, 1e-9)];
  const [first = 0, last = 1] = scaleLinear().domain([least, most]).nice(ticks).domain();
  return [first, last];
}

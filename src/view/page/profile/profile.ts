/** Where a profiled run spent its time: by what the machine did, by phase, by kernel, by layer; and what limits it. */
import { useRef } from 'preact/hooks';
import { familyStyles, familyTimes } from '../../profile/families.ts';
import { kernelWords } from '../../profile/kernelWords.ts';
import type { ProfileFile, ProfileTimes, ProfileTotal } from '../../profile/profileFile.ts';
import { totalsBy } from '../../profile/totals.ts';
import { go, parameter } from '../route.ts';
import { run } from '../store.ts';
import { duration, line, number, percent, shown } from '../ui/format.ts';
import type { Term as Name } from '../ui/glossary.ts';
import { html } from '../ui/html.ts';
import { stepFrom, useKeys } from '../ui/keys.ts';
import { Term } from '../ui/tip.ts';
import { familyColour, Roofline } from './roofline.ts';
import { type Column, SortTable, sorted } from './sortTable.ts';
import {
  chooseKernel,
  countAlone,
  found,
  gpuMs,
  type KernelRow,
  kernel,
  kernelCells,
  kernels,
  layer,
  layers,
  phase,
  profile,
} from './state.ts';
import './profile.css';

const kernelSort = 'kernels';

export function Profile() {
  const search = useRef<HTMLInputElement>(null);
  useKeys([
    { keys: ['j', 'ArrowDown'], what: 'next kernel', run: () => move(1) },
    { keys: ['k', 'ArrowUp'], what: 'previous kernel', run: () => move(-1) },
    { keys: ['ArrowRight', 'l'], what: 'next kernel, by operations a byte', run: () => moveAcross(1) },
    { keys: ['ArrowLeft', 'h'], what: 'previous kernel, by operations a byte', run: () => moveAcross(-1) },
    { keys: ['x'], what: 'all layers and phases', run: () => go({ layer: null, phase: null }) },
    { keys: ['/'], what: 'find a kernel', run: () => search.current?.focus() },
  ]);
  const { value: file, problem, isLoading } = profile.value;
  if (problem) return html`<main><p class="problem">${shown(problem, 400)}</p></main>`;
  if (!file) return html`<main class="empty muted">${isLoading ? 'Reading…' : html`<${None} />`}</main>`;
  return html`<main class="profile">
    <p class="headline">${headline(file)}</p>
    <${Spans} times=${file.milliseconds} timing=${file.timing} />
    <div class="hero">
      <${Roofline} ceilings=${file.ceilings} />
      <div class="side"><${Phases} phases=${file.phases} /><${Chosen} ceilings=${file.ceilings} /></div>
    </div>
    <${Counted} />
    <div class="hero tables">
      <section aria-label="Kernels">
        <input ref=${search} type="search" placeholder="Find a kernel  ( / )" aria-label="Find a kernel" value=${parameter('find') ?? ''}
          onInput=${(event: Event) => go({ find: (event.target as HTMLInputElement).value || null }, undefined, false)} />
        <${SortTable} parameter=${kernelSort} caption="Kernels" columns=${kernelColumns} rows=${found.value} nameOf=${({ name }: KernelRow) => name}
          chosen=${kernel.value?.name ?? null} onChoose=${chooseKernel} />
        ${found.value.length === 0 && html`<p class="muted">${kernels.value.length === 0 ? 'No kernel ran here.' : 'No kernel has these words.'}</p>`}
      </section>
      <section class="layers" aria-label="Layers">
        <${SortTable} parameter="layers" caption="Layers" columns=${layerColumns()} rows=${layers.value} nameOf=${({ name }: ProfileTotal) => name}
          chosen=${layer.value} onChoose=${(name: string) => countAlone('layer', name)} />
      </section>
    </div>
    <${Trace} isCut=${file.traceIsCut} />
  </main>`;
}

function None() {
  return html`This run was not profiled. <code>proxmo profile -- …</code> takes the options of <code>proxmo train</code>, times every kernel, and leaves the profile in the run’s folder when it ends.`;
}

/** The next in the order of the table. */
function move(step: number): void {
  stepThrough(sorted(found.peek(), kernelColumns, kernelSort), step);
}

/** The next to the right or to the left in the picture. */
function moveAcross(step: number): void {
  const across = kernels.peek().filter(({ flops, bytes }) => flops > 0 && bytes > 0);
  stepThrough(
    across.toSorted((a, b) => a.flops / a.bytes - b.flops / b.bytes),
    step,
  );
}

function stepThrough(rows: readonly KernelRow[], step: number): void {
  const at = rows.findIndex(({ name }) => name === kernel.peek()?.name);
  const next = stepFrom(rows, at, step);
  if (next && next.name !== kernel.peek()?.name) chooseKernel(next.name);
}

/** The one thing to know. */
function headline({ milliseconds: { wall, gpu }, kernels: totals, ops }: ProfileFile): string {
  const [longest] = totals;
  const [most] = familyTimes(ops.map(({ name, ms }) => ({ op: name, ms })));
  if (!longest || !most || gpu === 0) return 'No kernel ran in this profile.';
  const [family, ms] = most;
  const rest = gpu < wall / 2 ? ', so most of the time the GPU had nothing to do' : '; the rest is the host’s';
  return `Kernels ran for ${percent(gpu / wall, 0)} of ${duration(wall / 1000)}${rest}. ${percent(ms / gpu, 0)} of their time is ${familyStyles[family].name}; the longest kernel is ${line(longest.name, 80)} with ${percent(longest.ms / gpu, 0)}.`;
}

/** What the wall time consists of. */
function Spans({ times, timing }: { readonly times: ProfileTimes; readonly timing: ProfileFile['timing'] }) {
  const { wall, gpu, gaps, encoding } = times;
  const spans: readonly (readonly [string, Name, number])[] = [
    ['kernels', 'kernelTime', gpu],
    ['gaps', 'gaps', gaps],
    ['encoding', 'encoding', encoding],
    ['the rest of the host', 'hostRest', Math.max(0, wall - gpu - gaps - encoding)],
  ];
  return html`<section class="spans" aria-label="What the time consists of">
    <div class="strip" aria-hidden="true">${spans.map(([name, , ms]) => html`<i data-span=${name} style=${{ flexGrow: ms }} />`)}</div>
    <p>${spans.map(([name, term, ms]) => html`<span><i class="key" data-span=${name} /><${Term} name=${term}>${name}</${Term}> <b>${milliseconds(ms)}</b> <em>${percent(ms / wall)}</em></span>`)}</p>
    ${timing === 'serialised' && html`<p class="note">Kernels ran one by one and were timed by the host, so each time includes a submit.</p>`}
  </section>`;
}

type PhaseRow = ProfileFile['phases'][number];

function Phases({ phases }: { readonly phases: readonly PhaseRow[] }) {
  const longest = Math.max(...phases.map(({ wall }) => wall), 1e-9);
  const columns: readonly Column<PhaseRow>[] = [
    { name: 'name', title: 'phase', term: 'phaseOfRun', of: ({ name }) => name, show: ({ name }) => line(name, 40) },
    {
      name: 'wall',
      title: 'time',
      term: 'wallTime',
      of: ({ wall }) => wall,
      show: ({ wall, gpu }) =>
        html`<${Bar} share=${wall / longest} inner=${gpu / longest} text=${milliseconds(wall)} />`,
    },
    {
      name: 'gpu',
      title: 'kernels',
      term: 'kernelTime',
      of: ({ wall, gpu }) => (wall > 0 ? gpu / wall : null),
      show: ({ wall, gpu }) => (wall > 0 ? percent(gpu / wall, 0) : '–'),
    },
  ];
  return html`<${SortTable} parameter="phases" caption="Phases: their time, and the kernels’ share of it" columns=${columns} rows=${phases}
    nameOf=${({ name }: PhaseRow) => name} chosen=${phase.value} onChoose=${(name: string) => countAlone('phase', name)} />`;
}

interface BarProps {
  /** Of the longest. */
  readonly share: number;
  /** What of it is set off. */
  readonly inner?: number;
  readonly text: string;
}

function Bar({ share, inner = share, text }: BarProps) {
  const width = (part: number) => ({ width: `${100 * part}%` });
  return html`<span class="bar" aria-hidden="true"><i style=${width(share)} /><i class="inner" style=${width(inner)} /></span><span class="amount">${text}</span>`;
}

function milliseconds(ms: number): string {
  if (ms >= 10_000) return duration(ms / 1000);
  return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${number(ms)} ms`;
}

function shownCount(count: number): string {
  return count.toLocaleString('en').replaceAll(',', '\u202f');
}

const figureOf = (value: number | null) => (value === null ? '–' : number(value));

const kernelColumns: readonly Column<KernelRow>[] = [
  {
    name: 'name',
    title: 'kernel',
    term: 'kernel',
    of: ({ name }) => name,
    show: ({ name, op }) => html`<i class="key" style=${{ background: familyColour(op) }} />${line(name, 80)}`,
  },
  {
    name: 'ms',
    title: 'time',
    term: 'kernelTime',
    of: ({ ms }) => ms,
    show: ({ ms, share }) => html`<${Bar} share=${share / (kernels.value[0]?.share ?? 1)} text=${milliseconds(ms)} />`,
  },
  { name: 'share', title: 'share', term: 'kernelTime', of: ({ share }) => share, show: ({ share }) => percent(share) },
  {
    name: 'count',
    title: 'count',
    term: 'dispatches',
    of: ({ count }) => count,
    show: ({ count }) => shownCount(count),
  },
  {
    name: 'each',
    title: 'µs each',
    term: 'eachDispatch',
    of: ({ ms, count }) => ms / count,
    show: ({ ms, count }) => number((1000 * ms) / count),
  },
  {
    name: 'gflops',
    title: 'GFLOP/s',
    term: 'gflops',
    of: ({ gflops }) => gflops,
    show: ({ gflops }) => figureOf(gflops),
  },
  { name: 'gbps', title: 'GB/s', term: 'gbps', of: ({ gbps }) => gbps, show: ({ gbps }) => figureOf(gbps) },
  {
    name: 'ceiling',
    title: 'of ceiling',
    term: 'ofCeiling',
    of: ({ ofCeiling }) => ofCeiling,
    show: ({ ofCeiling }) => (ofCeiling === null ? '–' : percent(ofCeiling, 0)),
  },
  {
    name: 'gain',
    title: 'to gain',
    term: 'toGain',
    of: ({ toGain }) => toGain,
    show: ({ toGain }) => (toGain === null ? '–' : milliseconds(toGain)),
  },
];

function layerColumns(): readonly Column<ProfileTotal>[] {
  const total = layers.value.reduce((sum, { ms }) => sum + ms, 0);
  const longest = layers.value[0]?.ms ?? 1;
  return [
    { name: 'name', title: 'layer', term: 'layer', of: ({ name }) => name, show: ({ name }) => line(name, 60) },
    {
      name: 'ms',
      title: 'time',
      term: 'kernelTime',
      of: ({ ms }) => ms,
      show: ({ ms }) => html`<${Bar} share=${ms / longest} text=${milliseconds(ms)} />`,
    },
    { name: 'share', title: 'share', term: 'kernelTime', of: ({ ms }) => ms, show: ({ ms }) => percent(ms / total) },
  ];
}

/** What alone counts in the picture and the kernels' table. */
function Counted() {
  const only = [
    ['layer', layer.value],
    ['phase', phase.value],
  ] as const;
  if (only.every(([, name]) => name === null)) return null;
  return html`<p class="counted">Kernels of ${only.map(
    ([what, name]) =>
      name !== null &&
      html`<span>${what} <b>${line(name, 60)}</b><button type="button" class="all" aria-label=${`Count every ${what} again`} onClick=${() => countAlone(what, name)}>×</button></span>`,
  )} alone: ${milliseconds(gpuMs.value)}</p>`;
}

const mostParts = 6;

function Chosen({ ceilings }: { readonly ceilings: ProfileFile['ceilings'] }) {
  const { value: found } = kernel;
  if (!found)
    return html`<p class="muted chosen-kernel">Choose a kernel to see what limits it, and where it is used.</p>`;
  const parts = totalsBy(kernelCells.value, 'part');
  const inPhases = totalsBy(kernelCells.value, 'phase');
  return html`<section class="chosen-kernel" aria-label="The chosen kernel">
    <h2><i class="key" style=${{ background: familyColour(found.op) }} />${line(found.name, 120)}</h2>
    ${kernelWords(found, gpuMs.value, ceilings).map((sentence) => html`<p>${sentence}</p>`)}
    <dl>${[...parts.slice(0, mostParts), ...inPhases].map(
      ({ name, ms }, at) =>
        html`<div class=${at === Math.min(parts.length, mostParts) ? 'first' : ''}><dt>${line(name, 50)}</dt><dd><${Bar} share=${ms / found.ms} text=${percent(ms / found.ms, 0)} /></dd></div>`,
    )}</dl>
    ${parts.length > mostParts && html`<p class="note">and ${parts.length - mostParts} more layers</p>`}
  </section>`;
}

function Trace({ isCut }: { readonly isCut: boolean }) {
  const { value: info } = run;
  if (!info?.profile?.hasTrace) return null;
  return html`<p class="trace"><a href=${`runs/${encodeURIComponent(info.id)}/trace`} download="trace.json">Download the trace</a>
    <span class="muted"> of every dispatch in order${isCut ? ' (its end is missing: there were too many)' : ''}. Open ui.perfetto.dev, or chrome://tracing, and drop the file there; it stays on this machine.</span></p>`;
}

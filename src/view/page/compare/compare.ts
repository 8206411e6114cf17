/** Runs side by side: those with the same settings as one curve with a band over their seeds. */
import { computed } from '@preact/signals';
import type { MetricRecord } from '../../protocol.ts';
import { go, linkTo, parameter } from '../route.ts';
import { connection, metrics, runs } from '../store.ts';
import { Chart } from '../ui/chart.ts';
import { figure, line, number, percent, plural } from '../ui/format.ts';
import type { Term as Name } from '../ui/glossary.ts';
import { html } from '../ui/html.ts';
import { curveOf, groupRuns, type RunGroup, seedOf } from './groups.ts';
import { batchesOf } from './sharedTasks.ts';
import { SideBySide } from './sideBySide.ts';
import './compare.css';

const colours = ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6'];
/** More curves in one chart tell nothing apart. */
const most = colours.length;
const mostBands = 3;

const grouped = computed(() => groupRuns(runs.value));

/** Places of the groups whose curves are drawn: those in the address, or the first. */
const drawn = computed(() => {
  const all = [...grouped.value.groups.keys()];
  const given = parameter('curves')
    ?.split(',')
    .map((place) => Number(place) - 1);
  return given ? all.filter((place) => given.includes(place)).slice(0, most) : all.slice(0, most);
});

/** Draws the curves of a group, or takes them away. One too many takes the place of the last. */
function toggle(place: number): void {
  const others = drawn.peek().filter((each) => each !== place);
  const isDrawn = others.length < drawn.peek().length;
  const next = isDrawn ? others : [...others.slice(0, most - 1), place];
  go({ curves: next.map((each) => each + 1).join(',') }, undefined, false);
}

export function Compare() {
  const { groups, differences } = grouped.value;
  if (runs.value.length < 2) return html`<${OneRun} />`;
  return html`<main class="compare">
    <div class="hero">
      <${Curves} title="Held-out success" term="heldOut" kind="eval" name="success" format=${percent} height=${groups.length > 4 ? 420 : 260} hasPoints />
      <${Results} groups=${groups} />
    </div>
    <div class="small-charts">
      <${Curves} title="Training success" term="success" kind="train" name="success" format=${percent} />
      <${Curves} title="Dead groups" term="deadGroups" kind="train" name="deadGroupShare" format=${percent} />
      <${Curves} title="Entropy" term="entropy" kind="train" name="entropy" format=${number} />
    </div>
    ${
      differences.length > 0 &&
      html`<section class="settings"><h2>Settings that differ</h2>
      <div class="wide"><table class="figures">
        <thead><tr><th /> ${groups.map((_, at) => html`<th><${Key} place=${at} />${at + 1}</th>`)}</tr></thead>
        <tbody>${differences.map(({ key, values }) => html`<tr><th>${line(key, 60)}</th>${values.map((value) => html`<td>${line(value, 40)}</td>`)}</tr>`)}</tbody>
      </table></div></section>`
    }
    <${SideBySide} />
  </main>`;
}

/** A run beside itself, as it was before. */
function OneRun() {
  const hint = html`To compare runs, name several: <code>proxmo view RUN RUN…</code>`;
  const isKept = runs.value.some((run) => batchesOf(run).length > 1);
  if (!isKept) return html`<main class="empty muted">There is one run. ${hint}</main>`;
  return html`<main class="compare"><p class="notice quiet">There is one run, so it is compared with itself as it was before. ${hint}</p><${SideBySide} /></main>`;
}

/** The colour of a group, if it is drawn. */
function Key({ place }: { readonly place: number }) {
  const at = drawn.value.indexOf(place);
  return at >= 0 ? html`<i class="key" style=${{ background: `var(${colours[at]})` }} />` : null;
}

interface CurvesProps {
  readonly title: string;
  readonly term: Name;
  readonly kind: string;
  readonly name: string;
  readonly format: (value: number) => string;
  readonly height?: number;
  readonly hasPoints?: boolean;
}

function Curves({ title, term, kind, name, format, height, hasPoints = false }: CurvesProps) {
  const recordsOf = (id: string) => (metrics.value.get(id) ?? []).filter((record) => record.kind === kind);
  const groups = drawn.value.map((place) => ({ place, ...grouped.value.groups[place]! }));
  const x = [
    ...new Set(
      groups.flatMap((group) => group.runs.flatMap(({ id }) => recordsOf(id).map(({ iteration }) => iteration))),
    ),
  ];
  x.sort((a, b) => a - b);
  const value = (record: MetricRecord) => {
    const found = figure(record[name]);
    return Number.isFinite(found) ? found : null;
  };
  const series = groups.map((group, at) => {
    const { values, low, high } = curveOf(
      x,
      group.runs.map(({ id }) => recordsOf(id)),
      value,
    );
    // More than a few bands cover each other.
    const band = group.runs.length > 1 && groups.length <= mostBands ? { low, high } : {};
    return { label: String(group.place + 1), colour: colours[at]!, values, hasPoints, ...band };
  });
  const axis = format === percent ? (share: number) => percent(share, 0) : undefined;
  return html`<${Chart} ...${{ title, term, x, series, format, axis, height, range: [0, null] }} />`;
}

function Results({ groups }: { readonly groups: readonly RunGroup[] }) {
  const finals = (group: RunGroup) =>
    group.runs.flatMap(({ id }) => {
      const last = (metrics.value.get(id) ?? []).findLast(({ kind }) => kind === 'eval');
      return last ? [figure(last.success)] : [];
    });
  return html`<div class="results">
    <p class="small muted">Held-out success at the end; bands reach from the lowest to the highest seed, where at most ${mostBands} are drawn${groups.length > most && `. Curves of at most ${most}: choose which`}</p>
    <ol>${groups.map((group, at) => {
      const values = finals(group);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return html`<li>
        <p>
          <button type="button" class="draw" aria-pressed=${drawn.value.includes(at)} onClick=${() => toggle(at)} title="Draw its curves, or not"><${Key} place=${at} />${at + 1} ${line(group.label, 80)}</button>
          <b>${values.length === 0 && connection.value === 'connecting' ? '…' : percent(mean)}</b>
        </p>
        <p class="small muted">${values.length > 1 ? `${percent(Math.min(...values))} to ${percent(Math.max(...values))}, ` : ''}${plural(group.runs.length, 'run')}:
          ${group.runs.map(({ id, name }) => html` <a href=${linkTo('credit', { run: id, split: null, it: null, task: null, ep: null, step: null })} title=${line(name, 60)}>${line(seedOf(name)?.seed ?? name, 60)}</a>`)}</p>
      </li>`;
    })}</ol>
  </div>`;
}

/** Runs side by side: those with the same settings as one curve with a band over their seeds. */
import { computed } from '@preact/signals';
import type { MetricRecord } from '../../protocol.ts';
import { linkTo } from '../route.ts';
import { metrics, runs } from '../store.ts';
import { Chart } from '../ui/chart.ts';
import { figure, line, number, percent, plural } from '../ui/format.ts';
import type { Term as Name } from '../ui/glossary.ts';
import { html } from '../ui/html.ts';
import { curveOf, groupRuns, type RunGroup } from './groups.ts';
import { batchesOf } from './sharedTasks.ts';
import { SideBySide } from './sideBySide.ts';
import './compare.css';

const colours = ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6'];
/** More curves in one chart tell nothing apart. */
const most = colours.length;

const grouped = computed(() => groupRuns(runs.value));

export function Compare() {
  const { groups, differences } = grouped.value;
  if (runs.value.length < 2) return html`<${OneRun} />`;
  return html`<main class="compare">
    ${groups.length > most && html`<p class="notice">The curves are of the first ${most} of ${groups.length} groups of settings.</p>`}
    <div class="hero">
      <${Curves} title="Held-out success" term="heldOut" kind="eval" name="success" format=${percent} height=${260} hasPoints />
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
        <thead><tr><th /> ${groups.map((_, at) => html`<th><${Key} at=${at} />${at + 1}</th>`)}</tr></thead>
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

function Key({ at }: { readonly at: number }) {
  return at < most ? html`<i class="key" style=${{ background: `var(${colours[at]})` }} />` : null;
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
  const groups = grouped.value.groups.slice(0, most);
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
    const band = group.runs.length > 1 ? { low, high } : {};
    return { label: String(at + 1), colour: colours[at]!, values, hasPoints, ...band };
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
    <p class="small muted">Held-out success at the end; bands reach from the lowest to the highest seed</p>
    <ol>${groups.map((group, at) => {
      const values = finals(group);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return html`<li>
        <p><${Key} at=${at} /><span>${at + 1} ${line(group.label, 80)}</span><b>${percent(mean)}</b></p>
        <p class="small muted">${values.length > 1 ? `${percent(Math.min(...values))} to ${percent(Math.max(...values))}, ` : ''}${plural(group.runs.length, 'run')}:
          ${group.runs.map(({ id, name }) => html` <a href=${linkTo('credit', { run: id, split: null, it: null, task: null, ep: null, step: null })}>${line(name, 60)}</a>`)}</p>
      </li>`;
    })}</ol>
  </div>`;
}

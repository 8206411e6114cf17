/** A run as it goes: what to know of it, how far it is, and the curves that tell whether it learns. */
import { computed } from '@preact/signals';
import type { MetricRecord, RunInfo } from '../../protocol.ts';
import { go } from '../route.ts';
import { progress, records, run } from '../store.ts';
import { Chart, type Series } from '../ui/chart.ts';
import { duration, figure, number, percent, shown } from '../ui/format.ts';
import type { Term as Name } from '../ui/glossary.ts';
import { html } from '../ui/html.ts';
import { Term } from '../ui/tip.ts';
import { NewestEpisodes } from './episodes.ts';
import { Progress } from './progress.ts';
import { type Figures, sentenceOf } from './sentence.ts';

const train = computed(() => records.value.filter(({ kind }) => kind === 'train'));
const evaluations = computed(() => records.value.filter(({ kind }) => kind === 'eval'));
const iterations = computed(() => train.value.map(({ iteration }) => iteration));

const column = (list: readonly MetricRecord[], name: string) =>
  list.map((record) => {
    const value = figure(record[name]);
    return Number.isFinite(value) ? value : null;
  });

export function Live() {
  const info = run.value;
  if (!info) return null;
  const sentence = sentenceOf(info, records.value.map(figuresOf), progress.value);
  return html`<main class="live">
    <p class=${`headline ${sentence.tone}`} role="status">${shown(sentence.text, 400)}</p>
    ${info.problem && html`<p class="problem">${shown(info.problem, 400)}</p>`}
    <${Progress} info=${info} train=${train.value} />
    ${info.kind === 'sft' ? html`<${TunedCurves} info=${info} />` : html`<${Curves} info=${info} /><${NewestEpisodes} />`}
  </main>`;
}

function figuresOf(record: MetricRecord): Figures {
  return { kind: record.kind, iteration: record.iteration, of: (name) => figure(record[name]) };
}

const wholePercent = (value: number) => percent(value, 0);
const tick = (value: number) => String(Number(value.toPrecision(3)));
const twoDigits = (value: number) => value.toFixed(2);
const toCredit = (iteration: number) => go({ split: null, it: iteration, task: null, ep: null, step: null }, 'credit');

function Curves({ info }: { readonly info: RunInfo }) {
  if (train.value.length === 0 && evaluations.value.length === 0) return null;
  return html`<section class="curves" aria-label="Curves">
    <div class="hero">
      <${HeldOut} />
      <${Outcome} info=${info} />
    </div>
    <div class="small-charts">
      <${Curve} title="Training success" term="success" name="success" colour="--praise" format=${percent} range=${[0, null]} />
      <${Curve} title="Dead groups" term="deadGroups" name="deadGroupShare" colour="--ink" format=${percent} range=${[0, 1]} />
      ${
        column(train.value, 'kl').some((value) => value !== null)
          ? html`<${Curve} title="KL" term="kl" name="kl" colour="--ink" range=${[0, null]} />`
          : html`<${Curve} title="KL to sampler" term="samplerKl" name="samplerKl" colour="--ink" range=${[0, null]} />`
      }
      <${Curve} title="Entropy" term="entropy" name="entropy" colour="--ink" range=${[0, null]} />
      <${Curve} title="Gradient norm" term="gradientNorm" name="gradientNorm" colour="--ink" range=${[0, null]} />
      <${Phases} />
    </div>
  </section>`;
}

/** The curves of a fine-tuning on chats. */
function TunedCurves({ info }: { readonly info: RunInfo }) {
  if (train.value.length === 0 && evaluations.value.length === 0) return null;
  const list = evaluations.value;
  const held: Series[] = [
    { label: 'held-out', colour: '--praise', width: 2, hasPoints: true, values: column(list, 'loss') },
  ];
  const x = list.map(({ iteration }) => iteration);
  const last = list.at(-1);
  const note = last
    ? `perplexity ${number(figure(last.perplexity))} on ${number(figure(last.chats))} chats, after step ${last.iteration}`
    : 'There was no evaluation yet.';
  return html`<section class="curves" aria-label="Curves">
    <div class="hero">
      <${Chart} ...${{ title: 'Held-out loss', term: 'heldOutLoss', x, series: held, format: twoDigits, axis: tick, height: 300, range: [null, null], note }} />
    </div>
    <div class="small-charts">
      <${Curve} title="Training loss" term="trainingLoss" name="loss" colour="--ink" range=${[null, null]} isEpisodes=${false} />
      <${Curve} title="Gradient norm" term="gradientNorm" name="gradientNorm" colour="--ink" range=${[0, null]} isEpisodes=${false} />
      <${Curve} title="Learning rate" term="learningRate" name="learningRate" colour="--ink" range=${[0, null]} isEpisodes=${false} />
      <${Curve} title="Tokens a second" term="tokensPerSecond" name="tokensPerSecond" colour="--ink" range=${[0, null]} isEpisodes=${false} />
    </div>
    <p class="muted where">${shown(info.settings.model ?? '', 120)}, seed ${info.seed ?? '–'}<br />${shown(info.adapter ?? '', 80)}</p>
  </section>`;
}

interface CurveProps {
  readonly title: string;
  readonly term: Name;
  readonly name: string;
  readonly colour: string;
  readonly format?: (value: number) => string;
  readonly range?: readonly [number | null, number | null];
  /** Whether a point has episodes to go to; default: yes. */
  readonly isEpisodes?: boolean;
}

function Curve({ title, term, name, colour, format = number, range, isEpisodes = true }: CurveProps) {
  const axis = format === percent ? wholePercent : tick;
  const series: Series[] = [{ label: title, colour, values: column(train.value, name) }];
  const onPick = isEpisodes ? toCredit : undefined;
  return html`<${Chart} ...${{ title, term, series, format, axis, range, x: iterations.value, onPick }} />`;
}

function HeldOut() {
  const list = evaluations.value;
  const series: Series[] = [
    {
      label: 'held-out',
      colour: '--praise',
      width: 2,
      hasPoints: true,
      values: column(list, 'success'),
      low: column(list, 'low'),
      high: column(list, 'high'),
    },
  ];
  const x = list.map(({ iteration }) => iteration);
  const last = list.at(-1);
  const note = last
    ? html`95 %: ${percent(figure(last.low))} to ${percent(figure(last.high))}, ${figure(last.episodes)} tasks, after iteration ${last.iteration}`
    : 'There was no evaluation yet.';
  return html`<${Chart} ...${{ title: 'Held-out success', term: 'heldOut', x, series, format: percent, axis: wholePercent, height: 300, range: [0, null], note }} />`;
}

function Phases() {
  const of = (name: string) => column(train.value, `seconds/${name}`);
  const series: Series[] = [
    { label: 'rollout', colour: '--phase-1', values: of('rollout') },
    { label: 'advantages', colour: '--phase-2', values: of('advantage') },
    { label: 'update', colour: '--phase-3', values: of('update') },
  ];
  return html`<${Chart} ...${{ title: 'Seconds', term: 'phases', series, x: iterations.value, format: twoDigits, axis: tick, range: [0, null], onPick: toCredit }} />`;
}

/** Figures in words beside the large chart: by type of task, and of the last iteration. */
function Outcome({ info }: { readonly info: RunInfo }) {
  const [first, last] = [evaluations.value[0], evaluations.value.at(-1)];
  const latest = train.value.at(-1);
  const types = Object.keys(last ?? {}).filter((name) => name.startsWith('success/'));
  const of = (name: string) => figure(latest?.[name]);
  return html`<div class="outcome">
    ${
      types.length > 0 && first && last
        ? html`<table class="figures">
          <caption>Held-out success by type of task</caption>
          <thead><tr><th /><th>first</th><th>last</th></tr></thead>
          <tbody>
            ${types.map((name) => {
              const type = name.slice('success/'.length);
              return html`<tr><th>${shown(type, 40)}</th><td>${percent(figure(first[name]))}</td><td>${percent(figure(last[name]))}</td></tr>`;
            })}
          </tbody>
        </table>`
        : null
    }
    ${
      latest
        ? html`<dl class="facts">
          <div><dt><${Term} name="length">turns an episode</${Term}></dt><dd>${number(of('length'))}</dd></div>
          <div><dt><${Term} name="clipShare">clipped tokens</${Term}></dt><dd>${percent(of('clipShare'))}</dd></div>
          <div><dt><${Term} name="truncatedReplies">replies cut</${Term}></dt><dd>${number(of('truncatedReplies'))}</dd></div>
          <div><dt><${Term} name="learningRate">learning rate</${Term}></dt><dd>${number(of('learningRate'))}</dd></div>
          <div><dt><${Term} name="tokensPerSecond">tokens a second</${Term}></dt><dd>${number(of('tokensPerSecond'))}</dd></div>
          <div><dt>an iteration</dt><dd>${duration(of('seconds/total'))}</dd></div>
        </dl>`
        : null
    }
    <p class="muted where">${shown(info.settings['advantages.name'] ?? info.settings['advantages.estimator'] ?? '', 40)} on ${shown(info.settings['environment.name'] ?? '', 60)}, seed ${info.seed ?? '–'}<br />${shown(info.adapter ?? '', 80)}</p>
  </div>`;
}

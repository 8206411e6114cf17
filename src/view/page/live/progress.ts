/** How far a run is: a bar of its iterations, what it does at the moment, and how long that and the rest still take. */

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { LiveProgress } from '../../../rl/liveProgress.ts';
import type { MetricRecord, RunInfo } from '../../protocol.ts';
import { progress } from '../store.ts';
import { duration, figure, line, percent, plural, shown } from '../ui/format.ts';
import type { Term as Name } from '../ui/glossary.ts';
import { html } from '../ui/html.ts';
import { Term } from '../ui/tip.ts';

interface ProgressProps {
  readonly info: RunInfo;
  readonly train: readonly MetricRecord[];
}

const terms: Readonly<Record<LiveProgress['phase'], Name>> = {
  demonstrations: 'demonstrations',
  'warm start': 'warmStart',
  rollout: 'rollout',
  advantages: 'advantage',
  update: 'update',
  evaluation: 'evaluation',
  'fine-tuning': 'fineTuning',
};
const ofIteration = new Set<LiveProgress['phase']>(['rollout', 'advantages', 'update']);

export function Progress({ info, train }: ProgressProps) {
  return info.kind === 'sft'
    ? html`<${TunedProgress} ...${{ info, train }} />`
    : html`<${Iterations} ...${{ info, train }} />`;
}

function Iterations({ info, train }: ProgressProps) {
  const planned = figure(info.settings['training.iterations']);
  if (!Number.isFinite(planned) || info.state === 'waiting' || info.state === 'finished') return null;
  const done = train.at(-1)?.iteration ?? 0;
  const now = info.state === 'running' ? progress.value : null;
  const part = now && ofIteration.has(now.phase) ? now.stage.share : 0;
  const share = planned > 0 ? Math.min(1, (done + part) / planned) : 0;
  return html`<${Bar} ...${{ info, share, of: 'Iterations', now }}><b>${done}</b> of ${plural(planned, 'iteration')}<//>`;
}

/** How many steps a fine-tuning has depends on its chats, and it says so itself while it runs. */
function TunedProgress({ info, train }: ProgressProps) {
  if (info.state === 'waiting' || info.state === 'finished') return null;
  const now = info.state === 'running' ? progress.value : null;
  const done = train.at(-1)?.iteration ?? 0;
  return html`<${Bar} ...${{ info, share: now?.run.share ?? 0, of: 'Steps', now }}><b>${done}</b> ${done === 1 ? 'step' : 'steps'}<//>`;
}

interface BarProps {
  readonly info: RunInfo;
  readonly share: number;
  readonly of: string;
  readonly now: LiveProgress | null;
  readonly children?: unknown;
}

function Bar({ info, share, of, now, children }: BarProps) {
  return html`<section class="progress" aria-label="Progress">
    <div class="bar" role="progressbar" aria-label=${of} aria-valuenow=${Math.round(100 * share)} aria-valuemin="0" aria-valuemax="100">
      <span style=${{ width: `${100 * share}%` }} />
    </div>
    <p>${children}${now && html`<${Now} now=${now} />`}${
      info.state === 'stopped' &&
      html`<span class="now"><span>stopped; <code>proxmo ${info.kind} --resume ${line(info.dir, 200)}</code> goes on</span></span>`
    }</p>
  </section>`;
}

/** A run that says nothing for so long, in seconds, may hang. */
const silence = 300;

function Now({ now: { time, phase, done, detail, stage, run } }: { readonly now: LiveProgress }) {
  const clock = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      clock.value = Date.now();
    }, 1000);
    return () => clearInterval(timer);
  }, [clock]);
  const age = Math.max(0, (clock.value - Date.parse(time)) / 1000);
  const left = (seconds: number) => duration(Math.max(0, Math.round(seconds - age)));
  return html`<span class="now">
    <span><${Term} name=${terms[phase]}>${phase}</${Term}> ${percent(done, 0)}${detail && ` (${shown(detail, 60)})`}</span>
    ${
      age > silence
        ? html`<span class="warn">no news for ${duration(age)}</span>`
        : html`
          ${stage.seconds !== null && html`<span>${left(stage.seconds)} left of ${ofIteration.has(phase) ? 'this iteration' : phase === 'fine-tuning' ? 'this epoch' : 'it'}</span>`}
          ${run.seconds !== null && html`<span>${left(run.seconds)} in all</span>`}`
    }
  </span>`;
}

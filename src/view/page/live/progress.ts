/** How far a run is: a bar of its iterations, and the time that is left. */

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { MetricRecord, RunInfo } from '../../protocol.ts';
import { duration, figure, plural } from '../ui/format.ts';
import { html } from '../ui/html.ts';

interface ProgressProps {
  readonly info: RunInfo;
  readonly train: readonly MetricRecord[];
}

/** Of so many iterations the mean says how long another takes. */
const recent = 5;

export function Progress({ info, train }: ProgressProps) {
  const planned = figure(info.settings['training.iterations']);
  if (!Number.isFinite(planned) || info.state === 'waiting' || info.state === 'finished') return null;
  const done = train.at(-1)?.iteration ?? 0;
  const isRunning = info.state === 'running';
  const share = Math.min(1, planned > 0 ? done / planned : 1);
  return html`<section class="progress" aria-label="Progress">
    <div class="bar" role="progressbar" aria-valuenow=${Math.round(100 * share)} aria-valuemin="0" aria-valuemax="100">
      <span style=${{ width: `${100 * share}%` }} />
    </div>
    <p>
      <b>${done}</b> of ${plural(planned, 'iteration')}
      ${isRunning && html`<${Now} info=${info} train=${train} left=${planned - done} />`}
    </p>
  </section>`;
}

function Now({ info, train, left }: ProgressProps & { readonly left: number }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now();
    }, 1000);
    return () => clearInterval(timer);
  }, [now]);
  const seconds = train.slice(-recent).map((record) => figure(record['seconds/total']));
  const mean = seconds.reduce((sum, value) => sum + value, 0) / seconds.length;
  const remaining = mean * left;
  return html`<span class="now">
    ${
      seconds.length > 0
        ? html`<span>about ${duration(remaining)} left</span>`
        : info.started && html`<span>${duration((now.value - Date.parse(info.started)) / 1000)} so far</span>`
    }
  </span>`;
}

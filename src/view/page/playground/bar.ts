/** What the visitor chooses, and how fast it trains. */
import { signal } from '@preact/signals';
import type { Choice } from '../../playground/messages.ts';
import { run } from '../store.ts';
import { html } from '../ui/html.ts';
import { archiveOf } from './exportRun.ts';
import { adapter, isTraining, keptRun, problem, stop, tokensPerSecond, train } from './training.ts';

const estimators = {
  proxmo: 'ProxMO',
  gigpo: 'GiGPO',
  grpo: 'GRPO',
  rloo: 'RLOO',
  'reinforce++': 'REINFORCE++',
} as const satisfies Record<Choice['estimator'], string>;

const estimator = signal<Choice['estimator']>('proxmo');
/** log₁₀ τ. */
const logTemperature = signal(-1);
const seed = signal(1);

/** Sizes of a run, which the address may change: `?iterations=10&demonstrations=200`. */
const usual = { iterations: 30, demonstrations: 800, tasks: 16, heldOut: 60 };

function sizes(): typeof usual {
  const given = new URLSearchParams(location.search);
  const of = (name: keyof typeof usual) => {
    const value = Number(given.get(name));
    return Number.isInteger(value) && value > 0 ? value : usual[name];
  };
  return {
    iterations: of('iterations'),
    demonstrations: of('demonstrations'),
    tasks: of('tasks'),
    heldOut: of('heldOut'),
  };
}

function temperature(): number {
  return Number((10 ** logTemperature.value).toPrecision(2));
}

function begin(): void {
  train({ estimator: estimator.value, temperature: temperature(), seed: seed.value, ...sizes() });
}

async function download(): Promise<void> {
  const info = run.peek();
  const kept = info && keptRun(info.id);
  if (!info || !kept) return;
  const name = `household-${info.settings['advantages.estimator']}-seed${info.seed}`;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await archiveOf(name, info, kept));
  link.download = `${name}.tar.gz`;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function Bar() {
  const ready = adapter.value !== null;
  return html`<section class="playground" aria-label="Training in this browser">
    <p class="about">A small language model learns to find, clean, heat and cool things in a house, by${' '}
      <a href="https://arxiv.org/abs/2602.19225">ProxMO</a>, here, on your own GPU: nothing is sent anywhere.</p>
    <form onSubmit=${(event: Event) => event.preventDefault()}>
      <label>estimator
        <select value=${estimator.value} onChange=${(event: Event) => (estimator.value = (event.target as HTMLSelectElement).value as Choice['estimator'])}>
          ${Object.entries(estimators).map(([name, text]) => html`<option value=${name}>${text}</option>`)}
        </select></label>
      <label>τ <output>${temperature()}</output>
        <input type="range" min="-2" max="1" step="0.1" aria-label="τ, the temperature of similarity" value=${logTemperature.value}
          disabled=${estimator.value !== 'proxmo'}
          onInput=${(event: Event) => (logTemperature.value = Number((event.target as HTMLInputElement).value))} /></label>
      <label>seed
        <input type="number" min="0" step="1" value=${seed.value}
          onInput=${(event: Event) => (seed.value = Math.max(0, Math.round(Number((event.target as HTMLInputElement).value))))} /></label>
      ${
        isTraining.value
          ? html`<button type="button" class="main" onClick=${stop}>Stop</button>`
          : html`<button type="button" class="main" disabled=${!ready} onClick=${begin}>Train</button>`
      }
      <button type="button" disabled=${!run.value} onClick=${download} title="An archive of the run: tar xzf it, then proxmo view">Export</button>
    </form>
    <p class="speed" role="status">
      <span>${adapter.value ?? (problem.value === null ? 'looking for a GPU…' : 'no GPU')}</span>
      <span>${tokensPerSecond.value === null ? '' : `${Math.round(tokensPerSecond.value).toLocaleString('en')} tokens/s`}</span>
    </p>
    ${problem.value !== null && html`<p class="problem" role="alert">${problem.value}</p>`}
  </section>`;
}

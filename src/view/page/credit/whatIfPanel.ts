/** Settings to try out on the episodes at hand. */

import { go } from '../route.ts';
import { shown } from '../ui/format.ts';
import type { Term as Name } from '../ui/glossary.ts';
import { html } from '../ui/html.ts';
import { useKeys } from '../ui/keys.ts';
import { Term } from '../ui/tip.ts';
import { hasDevice, outcome, reason, wanted } from './outcome.ts';
import {
  type Assumption,
  assume,
  assumption,
  close,
  cost,
  type Estimator,
  estimators,
  isOpen,
  ofRun,
  open,
  ownName,
  problem,
} from './whatIf.ts';

const estimatorNames: Readonly<Record<Estimator, string>> = {
  proxmo: 'ProxMO',
  gigpo: 'GiGPO',
  grpo: 'GRPO',
  rloo: 'RLOO',
  'reinforce++': 'REINFORCE++',
};

export function WhatIfPanel() {
  const toggle = () => (isOpen.peek() ? close() : open());
  useKeys([{ keys: ['w'], what: 'what if', run: toggle }]);
  const given = assumption.value;
  if (!given)
    return html`<p class="whatif"><button type="button" class="open" onClick=${toggle}>What if…</button> <span class="muted">other settings had given the credit?</span></p>`;
  const isProxmo = given.estimator === 'proxmo';
  const hasSteps = given.estimator === 'gigpo' || (isProxmo && given.psa);
  return html`<form class="whatif" aria-label="What if" onSubmit=${(event: Event) => event.preventDefault()}>
    <div class="choices">
      ${estimators.map(
        (
          each,
        ) => html`<button type="button" aria-pressed=${given.estimator === each} onClick=${() => assume({ estimator: each })}>
          <${Term} name=${each}>${estimatorNames[each]}</${Term}></button>`,
      )}
      ${!ownName.value && html`<button type="button" class="quiet" onClick=${() => assume(ofRun.peek())}>as trained</button>`}
      <button type="button" class="quiet" onClick=${close} aria-label="Close what if">×</button>
    </div>
    ${ownName.value && html`<p class="note">This run’s estimator, ${shown(ownName.value, 80)}, is its own: the page has what it gave, but cannot compute it, so the paper’s settings stand here.</p>`}
    <div class="sliders">
      <${Slider} name="temperature" label="τ" term="temperature" min=${-2} max=${1} isLog isOff=${!(isProxmo && given.psa)} />
      <${Slider} name="omega" label="ω" term="omega" min=${0} max=${4} isOff=${!hasSteps} />
      <${Slider} name="alpha" label="α" term="alpha" min=${-1} max=${1.5} isLog isOff=${!(isProxmo && given.psc)} />
      <${Slider} name="range" label="r" term="range" min=${0} max=${0.5} isOff=${!(isProxmo && given.psc)} />
      <div class="checks">
        <${Check} name="psc" term="psc" label="PSC" isOff=${!isProxmo} />
        <${Check} name="psa" term="psa" label="PSA" isOff=${!isProxmo} />
        <${Check} name="leaveSelfOut" term="leaveSelfOut" label="without itself" isOff=${!(isProxmo && given.psa)} />
        <${Check} name="leaveTrajectoryOut" term="leaveTrajectoryOut" label="without its episode" isOff=${!(isProxmo && given.psa)} />
      </div>
    </div>
    ${
      problem.value
        ? html`<p class="problem">${shown(problem.value, 300)}</p>`
        : html`<p class="note" data-milliseconds=${cost.value.milliseconds} data-by=${outcome.value?.by}>${cost.value.rows} rows in ${cost.value.milliseconds.toFixed(0)} ms ${shown(reason.value, 300).replace(/\.$/, '')}; colours keep the scale of the run <${By} /></p>`
    }
  </form>`;
}

/** What computes, where there is a choice. */
function By() {
  if (!hasDevice.value) return null;
  return html`<select class="computed-by" aria-label="Computed by" value=${wanted.value ?? ''} onChange=${(event: Event) => go({ by: (event.target as HTMLSelectElement).value || null }, undefined, false)}>
    <option value="">the faster</option><option value="gpu">the GPU</option><option value="cpu">the CPU</option>
  </select>`;
}

interface SliderProps {
  readonly name: 'temperature' | 'alpha' | 'range' | 'omega';
  readonly label: string;
  readonly term: Name;
  readonly min: number;
  readonly max: number;
  /** The ends are powers of ten. */
  readonly isLog?: boolean;
  readonly isOff: boolean;
}

function Slider({ name, label, term, min, max, isLog = false, isOff }: SliderProps) {
  const value = assumption.value![name];
  const at = isLog ? Math.log10(value) : value;
  const take = (event: Event) => {
    const given = Number((event.target as HTMLInputElement).value);
    assume({ [name]: Number((isLog ? 10 ** given : given).toPrecision(2)) } as Partial<Assumption>);
  };
  return html`<label class=${isOff ? 'off' : ''}>
    <${Term} name=${term}>${label}</${Term}>
    <input type="range" aria-label=${name} min=${min} max=${max} step=${(max - min) / 100} value=${at} disabled=${isOff} onInput=${take} />
    <b>${value}</b>
  </label>`;
}

interface CheckProps {
  readonly name: 'psc' | 'psa' | 'leaveSelfOut' | 'leaveTrajectoryOut';
  readonly label: string;
  readonly term: Name;
  readonly isOff: boolean;
}

function Check({ name, label, term, isOff }: CheckProps) {
  const take = (event: Event) => assume({ [name]: (event.target as HTMLInputElement).checked } as Partial<Assumption>);
  return html`<label class=${isOff ? 'off' : ''}>
    <input type="checkbox" checked=${assumption.value![name]} disabled=${isOff} onChange=${take} /> <${Term} name=${term}>${label}</${Term}>
  </label>`;
}

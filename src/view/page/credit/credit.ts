/** The credit inspector: whose action got how much, and why. Held-out episodes are shown without credit. */

import { successesOf } from '../../../rl/credit/mixed.ts';
import { go } from '../route.ts';
import { run } from '../store.ts';
import { creditColour, shade } from '../ui/colour.ts';
import { line, plural, shown, signed } from '../ui/format.ts';
import { html } from '../ui/html.ts';
import { stepFrom, useKeys } from '../ui/keys.ts';
import { Term } from '../ui/tip.ts';
import { Explanation } from './explanation.ts';
import { Lanes } from './lanes.ts';
import { chooseSplit, group, index, iteration, kept, limit, omega, recordedLevels, split, task } from './state.ts';
import { Tasks } from './tasks.ts';
import { Turn } from './turn.ts';
import { levels as assumed } from './whatIf.ts';
import { WhatIfPanel } from './whatIfPanel.ts';
import './credit.css';

export function Credit() {
  useKeys([
    { keys: ['n'], what: 'newer iteration', run: () => step(1) },
    { keys: ['p'], what: 'iteration before', run: () => step(-1) },
    {
      keys: ['t'],
      what: 'training or held-out',
      run: () => chooseSplit(split.peek() === 'training' ? 'held-out' : 'training'),
    },
  ]);
  if (kept.value.length === 0) return html`<main class="empty muted">${whyNone()}</main>`;
  const { problem, isLoading } = index.value;
  return html`<main class=${isLoading ? 'credit loading' : 'credit'}>
    <${Tasks} />
    <section class="episodes">
      <${Heading} />
      ${problem && html`<p class="problem">${shown(problem, 400)}</p>`}
      ${split.value === 'training' && html`<${WhatIfPanel} />`}
      <${Lanes} levels=${split.value === 'training' ? (assumed.value ?? recorded()) : null} />
      ${split.value === 'training' ? html`<${Legend} />` : html`<${HeldOutLegend} />`}
      <${Turn} />
    </section>
    <${Explanation} />
  </main>`;
}

function whyNone(): string {
  const state = run.value?.state;
  if (state === 'running' || state === 'waiting') return 'No iteration has ended yet.';
  return 'This run keeps no episodes: rollouts.keep was none, or an older version of proxmo trained it.';
}

function step(by: number): void {
  const list = kept.peek();
  const at = list.indexOf(iteration.peek() ?? -1);
  const next = stepFrom(list, at, by);
  if (next !== undefined) go({ it: next, task: null, ep: null, step: null });
}

/** The levels of the group's rows as the run had them. */
function recorded() {
  const levels = recordedLevels.value;
  const place = group.value?.rows;
  if (!levels || !place) return { episode: [], step: [] };
  const part = (values: readonly number[]) => values.slice(place.first, place.first + place.count);
  return { episode: part(levels.episode), step: part(levels.step).map((value) => value * omega.value) };
}

function Heading() {
  const found = group.value;
  const wins = found ? successesOf(found) : 0;
  return html`<header class="heading">
    <div>
      <h2>${line(found?.instruction || found?.id, 240)}</h2>
      <p class="muted">${found && `${line(found.type, 40)} · ${wins} of ${plural(found.episodes.length, 'episode')} succeeded`}</p>
    </div>
    <div class="which">
    <${Splits} />
    <label class="stepper"><span class="muted">${split.value === 'training' ? 'iteration' : 'after iteration'}</span>
      <button type="button" onClick=${() => step(-1)} aria-label="Iteration before">‹</button>
      <select value=${String(iteration.value)} aria-label="Iteration"
        onChange=${(event: Event) => go({ it: (event.target as HTMLSelectElement).value, task: null, ep: null, step: null })}>
        ${kept.value.map((each) => html`<option value=${String(each)}>${each}</option>`)}
      </select>
      <button type="button" onClick=${() => step(1)} aria-label="Newer iteration">›</button>
    </label>
    </div>
  </header>
  ${found && !found.rows && html`<p class="notice">The rows of this task were not kept (rollouts.keep).</p>`}`;
}

function Splits() {
  if (run.value?.heldOut.length === 0) return null;
  return html`<div class="choice" role="group" aria-label="Which episodes">${(['training', 'held-out'] as const).map(
    (each) =>
      html`<button type="button" aria-pressed=${split.value === each} onClick=${() => chooseSplit(each)}><${Term} name=${each === 'training' ? 'trainingSplit' : 'heldOutSplit'}>${each}</${Term}></button>`,
  )}</div>`;
}

function HeldOutLegend() {
  return html`<div class="legend" data-task=${task.value}>
    <span class="scale"><em>sure</em><svg width="165" height="12" aria-hidden="true">${Array.from({ length: 33 }, (_, at) => html`<rect x=${at * 5} width="5.5" height="12" fill=${shade(at / 32, false)} />`)}</svg><em>unsure</em></span>
    <span class="muted"><i class="win" /> succeeded <i class="loss" /> did not; at the end of a lane, what it earned; crossed out: malformed</span>
  </div>`;
}

/** What the halves of a cell are, and what colours mean. */
function Legend() {
  const stops = Array.from({ length: 33 }, (_, at) => ((at - 16) / 16) * limit.value);
  return html`<div class="legend" data-task=${task.value}>
    <svg width="34" height="26" aria-hidden="true"><rect x="0.5" y="0.5" width="20" height="12" class="half" /><rect x="0.5" y="12.5" width="20" height="12" class="half" /></svg>
    <span>upper half <${Term} name="episodeLevel">episode level</${Term}><br />lower half <${Term} name="stepLevel">step level</${Term}></span>
    <span class="scale">
      <em>less likely ${signed(-limit.value)}</em>
      <svg width="165" height="12" aria-hidden="true">${stops.map((value, at) => html`<rect x=${at * 5} width="5.5" height="12" fill=${creditColour(value, limit.value)} />`)}</svg>
      <em>${signed(limit.value)} more likely</em>
    </span>
    <span class="muted"><i class="win" /> succeeded <i class="loss" /> did not; at the end of a lane, what it earned; crossed out: malformed</span>
  </div>`;
}

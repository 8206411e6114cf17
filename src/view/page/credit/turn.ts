/** What the policy saw at the chosen turn, what it did, and how sure it was. */
import { signal } from '@preact/signals';
import { type AnyRow, hasCredit, run } from '../store.ts';
import { shade } from '../ui/colour.ts';
import { line, number, percent, plural, shown } from '../ui/format.ts';
import { html } from '../ui/html.ts';
import { Term, withTip } from '../ui/tip.ts';
import { firstRow, group, groupRows, row, turn } from './state.ts';

/** By what tokens are shaded. */
const shading = signal<'surprise' | 'kl'>('surprise');
/** Log-ratios, and surprise in nats, of this size have the full colour. */
const [fullRatio, fullSurprise] = [2, 3];

export function Turn() {
  const found = row.value;
  if (!found) return html`<section class="turn" />`;
  return html`<section class="turn" aria-label="The turn">
    <div>
      <h3>What the policy read</h3>
      <${Earlier} row=${found} />
      <pre class="text">${shown(found.prompt, 20_000)}</pre>
      ${found.truncated && html`<p class="note">Something was left out, to keep to the prompt’s budget.</p>`}
    </div>
    <div>
      <h3>What it did</h3>
      <${Tokens} row=${found} />
      <p class="note">
        ${found.valid ? 'well formed' : html`<b>malformed</b>`}, reward ${number(found.reward)}${found.cut ? ', cut at its most tokens' : ''}
      </p>
      <${Actions} row=${found} />
    </div>
  </section>`;
}

/** Earlier turns of a transcript, which the policy has read before and still sees. */
function Earlier({ row: { context, trajectory } }: { readonly row: AnyRow }) {
  const [found, rows, at] = [group.value, groupRows.value.value, turn.value];
  if (!found || !rows || !at) return null;
  const first = firstRow(found, at.episode);
  const earlier = rows
    .slice(first, first + at.step)
    .filter((each) => each.context === context && each.trajectory === trajectory);
  // A window is whole: what was before it is not seen.
  if (earlier.length === 0 || run.value?.settings['prompt.memory'] !== 'transcript') return null;
  return html`<details>
    <summary>${plural(earlier.length, 'earlier turn')} of the same context</summary>
    <pre class="text earlier">${earlier.map((each) => html`${shown(each.prompt, 4000)}<b> ${line(each.action, 200)}</b>\n`)}</pre>
  </details>`;
}

function Tokens({ row }: { readonly row: AnyRow }) {
  const { reply, logProbs } = row;
  const referenceLogProbs = hasCredit(row) ? row.referenceLogProbs : null;
  const isKl = shading.value === 'kl' && referenceLogProbs !== null;
  return html`<p class="tokens">
      ${reply.map((text, at) => {
        const logProb = logProbs[at] ?? Number.NaN;
        const ratio = logProb - (referenceLogProbs?.[at] ?? Number.NaN);
        const fill = isKl ? shade(Math.abs(ratio) / fullRatio, ratio > 0) : shade(-logProb / fullSurprise, false);
        const tip = () =>
          html`probability ${percent(Math.exp(logProb))}${
            Number.isFinite(ratio) ? html`<br />${percent(Math.exp(logProb - ratio))} under the reference` : null
          }`;
        return html`<span tabindex="0" style=${{ background: fill }} ...${withTip(tip)}>${shown(text, 200) || '(nothing)'}</span>`;
      })}
    </p>
    <p class="note choice">shaded by
      <button type="button" aria-pressed=${!isKl} onClick=${() => (shading.value = 'surprise')}><${Term} name="logProb">surprise</${Term}></button>
      ${referenceLogProbs && html`<button type="button" aria-pressed=${isKl} onClick=${() => (shading.value = 'kl')}><${Term} name="tokenKl">change since the start</${Term}></button>`}
    </p>`;
}

/** The actions on offer, with their probabilities where the policy's replies were bound to them. */
function Actions({ row: { actions, branches, action } }: { readonly row: AnyRow }) {
  if (!actions || actions.length === 0) return null;
  const known = branches ?? actions.map((_, at) => ({ actions: [at], probability: Number.NaN }));
  const sorted = known.toSorted((a, b) => b.probability - a.probability);
  return html`<h3>On offer</h3>
    <ol class="actions">
      ${sorted.slice(0, 40).map(({ actions: places, probability }) => {
        const names = places.map((place) => actions[place] ?? '');
        return html`<li class=${names.includes(action) ? 'taken' : ''}>
          <span>${line(names.slice(0, 3).join(', '), 80)}${names.length > 3 ? ` and ${names.length - 3} more` : ''}</span>
          ${Number.isFinite(probability) && html`<i class="share" style=${{ width: `${Math.max(1, 48 * probability)}px` }} /><em>${percent(probability, 0)}</em>`}
        </li>`;
      })}
    </ol>
    ${sorted.length > 40 && html`<p class="note">and ${sorted.length - 40} more</p>`}`;
}

/** Why the chosen turn got its credit: in words, in a waterfall, and by the turns that it was compared with. */
import { diffWords } from 'diff';
import { type ExplainedNeighbour, type ExplainedPart, explain, type WaterfallBar } from '../../../rl/credit/explain.ts';
import type { RecordedRow } from '../../../rl/credit/record.ts';
import { linkTo } from '../route.ts';
import { hasCredit, run } from '../store.ts';
import { number, percent, shown, signed } from '../ui/format.ts';
import type { Term as Name } from '../ui/glossary.ts';
import { html } from '../ui/html.ts';
import { Term, withTip } from '../ui/tip.ts';
import { settings } from './settings.ts';
import { chooseTurn, group, groupRows, row, split, turnRow } from './state.ts';
import { levels as assumed } from './whatIf.ts';

const kind = (value: number) => (value < 0 ? 'blame' : 'praise');

export function Explanation() {
  const found = row.value;
  if (!found)
    return html`<aside class="why"><p class="muted">${split.value === 'training' ? 'Choose a cell to see why its action got its credit.' : 'Choose a cell to see what the policy read and did.'}</p></aside>`;
  if (!hasCredit(found)) return html`<${HeldOut} />`;
  const rows = (groupRows.value.value ?? []).filter(hasCredit);
  const why = settings.value && explain(found, rows, settings.value);
  return html`<aside class="why" aria-label="Why">
    <p class="total ${kind(found.advantage)}" ...${withTip(() => 'The advantage: the sum of both levels.')}>${why?.shown.replace('-', '\u2212') ?? signed(found.advantage)}</p>
    <${Assumed} />
    ${
      why &&
      html`${why.parts.map((part) => html`<${Part} part=${part} />`)}
      <${Waterfall} bars=${why.waterfall} total=${why.advantage} shownTotal=${why.shown} />
      <${Neighbours} row=${found} neighbours=${why.neighbours} />`
    }
  </aside>`;
}

/** Of an episode that nothing is learned from. */
function HeldOut() {
  const target = { a: run.value?.id, b: null, ita: null, itb: null, same: group.value?.id };
  return html`<aside class="why" aria-label="Held-out">
    <h2>Held-out</h2>
    <p class="part-note">The policy never trains on this task. Its episode only counts in the success of the evaluation, so no action has credit.</p>
    <p class="part-note"><a class="link" href=${linkTo('compare', target)}>The same task side by side</a></p>
  </aside>`;
}

/** What the turn would have got under the settings that are tried out. */
function Assumed() {
  const [levels, place] = [assumed.value, turnRow.value];
  if (!levels || place === null) return null;
  const would = (levels.episode[place] ?? 0) + (levels.step[place] ?? 0);
  return html`<p class="assumed">Under the settings tried out: <b class=${kind(would)}>${signed(would)}</b>. What follows is of the run.</p>`;
}

function Part({ part: { level, shown: value, reason, arithmetic, value: size } }: { readonly part: ExplainedPart }) {
  const name: Name = level === 'episode' ? 'episodeLevel' : 'stepLevel';
  return html`<p class="part">
    <b class=${kind(size)}>${value.replace('-', '\u2212')}</b>
    <span>${shown(reason, 400)}
      <small><${Term} name=${name}>${level} level</${Term}> ${shown(arithmetic, 400).replaceAll(' - ', ' \u2212 ').replaceAll('= -', '= \u2212')}</small></span>
  </p>`;
}

const barNames: Readonly<Record<WaterfallBar['name'], readonly [string, Name]>> = {
  episode: ['episode', 'episodeLevel'],
  PSC: ['PSC', 'psc'],
  step: ['step', 'stepLevel'],
  scale: ['scaled', 'omega'],
};
const [chartWidth, barHeight] = [230, 26];

interface WaterfallProps {
  readonly bars: readonly WaterfallBar[];
  readonly total: number;
  readonly shownTotal: string;
}

/** Each bar begins where the one before ends; the last is their sum. */
function Waterfall({ bars, total, shownTotal }: WaterfallProps) {
  let sum = 0;
  const ends = bars.map(({ value }) => (sum += value));
  const rows = [
    ...bars.map(({ name, value, shown: text }, at) => ({ name, text, from: ends[at]! - value, to: ends[at]! })),
    { name: null, text: shownTotal, from: 0, to: total },
  ];
  const [low, high] = [Math.min(0, ...ends, total), Math.max(0, ...ends, total)];
  const x = (value: number) => (high === low ? 0 : ((value - low) / (high - low)) * chartWidth);
  return html`<div class="waterfall" role="img" aria-label="How the parts add up">
    ${rows.map(
      ({ name, text, from, to }, at) => html`<div class=${name === null ? 'sum' : ''}>
        <span>${name === null ? 'sum' : html`<${Term} name=${barNames[name][1]}>${barNames[name][0]}</${Term}>`}</span>
        <svg width="100%" height=${barHeight} viewBox=${`0 0 ${chartWidth} ${barHeight}`} preserveAspectRatio="none" aria-hidden="true">
          <line x1=${x(0)} x2=${x(0)} y1="0" y2=${barHeight} class="zero" />
          <rect class=${kind(to - from)} x=${Math.min(x(from), x(to))} y="6" width=${Math.max(1.5, Math.abs(x(to) - x(from)))} height=${barHeight - 12} />
          ${at < rows.length - 1 && html`<line x1=${x(to)} x2=${x(to)} y1=${barHeight - 6} y2=${barHeight} class="step" />`}
        </svg>
        <em>${text.replace('-', '\u2212')}</em>
      </div>`,
    )}
  </div>`;
}

interface NeighboursProps {
  readonly row: RecordedRow;
  readonly neighbours: readonly ExplainedNeighbour[];
}

function Neighbours({ row: found, neighbours }: NeighboursProps) {
  if (neighbours.length === 0) return null;
  return html`<h3>Compared with</h3>
    <table class="neighbours">
      <thead><tr><th>turn</th><th><${Term} name="similarity">similar</${Term}></th><th><${Term} name="weight">weight</${Term}></th><th><${Term} name="stepReturn">came to</${Term}></th></tr></thead>
      <tbody>${neighbours.map((neighbour) => html`<${NeighbourRow} of=${found} neighbour=${neighbour} />`)}</tbody>
    </table>`;
}

function NeighbourRow({ of, neighbour }: { readonly of: RecordedRow; readonly neighbour: ExplainedNeighbour }) {
  const { trajectory, step, turns, similarity, weight, observation, isOwn } = neighbour;
  const episode = group.value?.episodes.findIndex(({ id }) => id === trajectory) ?? -1;
  return html`<tr>
      <td><button type="button" class="link" onClick=${() => chooseTurn(episode, step)}>${episode + 1}.${step + 1}</button>${
        turns > 1 ? html` <span class="muted">and ${turns - 1} like it</span>` : ''
      }</td>
      <td>${similarity === null ? 'same' : similarity.toFixed(2)}</td>
      <td>${percent(weight, 0)}</td>
      <td>${number(neighbour.return)}</td>
    </tr>
    <tr class="words"><td colspan="4">${
      isOwn
        ? 'the same words'
        : observation !== null && html`<${Difference} from=${of.observation} to=${observation} />`
    }</td></tr>`;
}

/** Texts longer than this are not compared word by word. */
const longest = 4000;

/** What the other observation says, and where it differs. */
function Difference({ from, to }: { readonly from: string; readonly to: string }) {
  if (from.length > longest || to.length > longest) return shown(to, 400);
  return diffWords(from, to).map(({ value, added, removed }) =>
    added ? html`<ins>${shown(value)}</ins>` : removed ? html`<del>${shown(value)}</del>` : shown(value),
  );
}

/** Why the chosen turn got its credit: in words, in a waterfall, and by the turns that it was compared with. */
import { diffWords } from 'diff';
import type { Neighbour, RecordedRow } from '../../../rl/credit/record.ts';
import { number, percent, shown, signed } from '../ui/format.ts';
import { html } from '../ui/html.ts';
import { Term } from '../ui/tip.ts';
import { chooseTurn, group, groupRows, row } from './state.ts';

export function Explanation() {
  const found = row.value;
  if (!found)
    return html`<aside class="why"><p class="muted">Choose a cell to see why its action got its credit.</p></aside>`;
  return html`<aside class="why" aria-label="Why" aria-live="polite">
    <p class="total ${found.advantage < 0 ? 'blame' : 'praise'}">${signed(found.advantage)}</p>
    <${Neighbours} row=${found} />
  </aside>`;
}

function Neighbours({ row: found }: { readonly row: RecordedRow }) {
  const { stepLevel } = found;
  if (!stepLevel || stepLevel.neighbours.length === 0) return null;
  return html`<h3>Compared with</h3>
    <table class="neighbours">
      <thead><tr><th>turn</th><th><${Term} name="similarity">similar</${Term}></th><th><${Term} name="weight">weight</${Term}></th><th><${Term} name="stepReturn">came to</${Term}></th></tr></thead>
      <tbody>${stepLevel.neighbours.map((neighbour) => html`<${NeighbourRow} of=${found} neighbour=${neighbour} />`)}</tbody>
    </table>`;
}

function NeighbourRow({ of, neighbour }: { readonly of: RecordedRow; readonly neighbour: Neighbour }) {
  const { trajectory, step, turns, similarity, weight } = neighbour;
  const episode = group.value?.episodes.findIndex(({ id }) => id === trajectory) ?? -1;
  const other = groupRows.value.value?.find((each) => each.trajectory === trajectory && each.step === step);
  return html`<tr>
      <td><button type="button" class="link" onClick=${() => chooseTurn(episode, step)}>${episode + 1}.${step + 1}</button>${
        turns > 1 ? html` <span class="muted">and ${turns - 1} like it</span>` : ''
      }</td>
      <td>${similarity === null ? 'same' : similarity.toFixed(2)}</td>
      <td>${percent(weight, 0)}</td>
      <td>${number(neighbour.return)}</td>
    </tr>
    <tr class="words"><td colspan="4">${other ? html`<${Difference} from=${of.observation} to=${other.observation} />` : null}</td></tr>`;
}

/** Texts longer than this are not compared word by word. */
const longest = 4000;

/** What the other observation says, and where it differs. */
function Difference({ from, to }: { readonly from: string; readonly to: string }) {
  if (from === to) return html`<span class="muted">the same words</span>`;
  if (from.length > longest || to.length > longest) return shown(to, 400);
  return diffWords(from, to).map(({ value, added, removed }) =>
    added ? html`<ins>${shown(value)}</ins>` : removed ? html`<del>${shown(value)}</del>` : shown(value),
  );
}

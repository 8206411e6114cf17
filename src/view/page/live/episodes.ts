/** The newest episodes of a run, a line each, with a link to their credit. */
import { isMixed } from '../../../rl/credit/mixed.ts';
import { firstRow, index, iteration, recordedLevels } from '../credit/state.ts';
import { linkTo } from '../route.ts';
import { line, number, plural, signed } from '../ui/format.ts';
import { html } from '../ui/html.ts';
import './episodes.css';

const most = 8;

export function NewestEpisodes() {
  const found = index.value.value;
  if (!found || found.groups.length === 0) return null;
  const { groups } = found;
  // One of each task, those first from which there is something to learn.
  const places = [...groups.keys()].sort((a, b) => Number(isMixed(groups[b]!)) - Number(isMixed(groups[a]!)));
  return html`<section class="newest">
    <h2>Episodes of iteration ${iteration.value}</h2>
    <ul>
      ${places.slice(0, most).map((place) => {
        const group = groups[place]!;
        const best = group.episodes.findIndex(({ success }) => success);
        const episode = Math.max(0, best);
        const { success, steps, return: earned } = group.episodes[episode]!;
        const row = (group.rows?.first ?? 0) + firstRow(group, episode);
        const credit = group.rows ? recordedLevels.value?.advantage[row] : undefined;
        return html`<li>
          <a href=${linkTo('credit', { split: null, it: null, task: place, ep: episode + 1, step: 1 })}>
            <i class=${success ? 'win' : 'loss'} /><span>${line(group.instruction || group.id, 120)}</span>
            <em>${plural(steps, 'turn')}</em><em>earned ${number(earned)}</em><em>${credit === undefined ? '' : `first turn ${signed(credit)}`}</em>
          </a>
        </li>`;
      })}
    </ul>
  </section>`;
}

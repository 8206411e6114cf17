/**
 * A task's episodes: a lane each, a cell a turn; the upper half of a cell is the credit of the episode level, the lower
 * that of the step level. Curves lead from the chosen cell to those that its baseline comes from. Held-out episodes
 * have no credit: their cells say how sure the policy was.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Neighbour, RecordedGroup } from '../../../rl/credit/record.ts';
import { type AnyRow, hasCredit } from '../store.ts';
import { creditColour, shade } from '../ui/colour.ts';
import { line, number, percent, signed } from '../ui/format.ts';
import { html } from '../ui/html.ts';
import { useKeys } from '../ui/keys.ts';
import { hideTip, showTip } from '../ui/tip.ts';
import { chooseTurn, firstRow, group, groupRows, limit, row, turn } from './state.ts';

const labelWidth = 58;
const endWidth = 46;
const laneHeight = 42;
const cellHeight = 34;
const [narrowest, widest] = [9, 46];

/** The two levels of each row of the group; the step level times ω, so that both add up. */
export interface Levels {
  readonly episode: ArrayLike<number>;
  readonly step: ArrayLike<number>;
}

/** @param levels null of episodes without credit */
export function Lanes({ levels }: { readonly levels: Levels | null }) {
  const host = useRef<HTMLDivElement>(null);
  const width = useSignal(800);
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      width.value = host.current?.clientWidth ?? 800;
    });
    observer.observe(host.current!);
    return () => observer.disconnect();
  }, [width]);
  useKeys([
    { keys: ['ArrowRight', 'l'], what: 'next turn', run: () => move(0, 1) },
    { keys: ['ArrowLeft', 'h'], what: 'previous turn', run: () => move(0, -1) },
    { keys: ['ArrowDown'], what: 'next episode', run: () => move(1, 0) },
    { keys: ['ArrowUp'], what: 'previous episode', run: () => move(-1, 0) },
  ]);
  const shown = group.value;
  if (!shown) return html`<div ref=${host} />`;
  const longest = Math.max(...shown.episodes.map(({ steps }) => steps), 1);
  const cell = Math.max(narrowest, Math.min(widest, (width.value - labelWidth - endWidth) / longest));
  const size = { width: labelWidth + cell * longest + endWidth, height: laneHeight * shown.episodes.length + 18 };
  return html`<div class="lanes" ref=${host}>
    <svg width=${size.width} height=${size.height} role="group" aria-label="Episodes of the task, a lane each">
      ${shown.episodes.map((_, episode) => html`<${Lane} key=${episode} ...${{ shown, episode, cell, levels }} />`)}
      <${Curves} shown=${shown} cell=${cell} />
      <${Numbers} longest=${longest} cell=${cell} top=${laneHeight * shown.episodes.length + 12} />
    </svg>
  </div>`;
}

interface LaneProps {
  readonly shown: RecordedGroup;
  readonly episode: number;
  readonly cell: number;
  readonly levels: Levels | null;
}

function Lane({ shown, episode, cell, levels }: LaneProps) {
  const { success, steps, return: earned } = shown.episodes[episode]!;
  const first = firstRow(shown, episode);
  return html`<g transform=${`translate(0 ${laneHeight * episode})`}>
    <circle class=${success ? 'win' : 'loss'} cx="8" cy=${cellHeight / 2} r="4.5" />
    <text x="22" y=${cellHeight / 2 + 4}>${episode + 1}</text>
    ${Array.from({ length: steps }, (_, step) => html`<${Cell} key=${step} ...${{ episode, step, cell, levels, place: first + step }} />`)}
    <text class="end" x=${labelWidth + cell * steps + 8} y=${cellHeight / 2 + 4}>${number(earned)}</text>
  </g>`;
}

interface CellProps {
  readonly episode: number;
  readonly step: number;
  readonly cell: number;
  readonly levels: Levels | null;
  /** Among the rows of the group. */
  readonly place: number;
}

function Cell({ episode, step, cell, levels, place }: CellProps) {
  const own = rowAt(place);
  const { upper, lower, words, more } = levels ? creditOf(levels, place) : surpriseOf(own);
  const isChosen = turn.value?.episode === episode && turn.value.step === step;
  const x = labelWidth + cell * step;
  const [half, inner] = [cellHeight / 2, Math.max(4, cell - (cell < 13 ? 1 : 2))];
  const name = `Episode ${episode + 1}, turn ${step + 1}: ${words}`;
  const tip = html`<b>${name}</b><br />${own && html`${line(own.action || '(nothing)', 80)}<br />`}${more}`;
  return html`<g class=${isChosen ? 'cell chosen' : 'cell'} role="button" tabindex=${isChosen ? 0 : -1} aria-label=${name}
    aria-pressed=${isChosen} data-cell=${`${episode + 1}.${step + 1}`}
    onClick=${() => chooseTurn(episode, step)}
    onPointerEnter=${({ currentTarget }: Event) => showTip(currentTarget as Element, tip)} onPointerLeave=${hideTip}>
    <rect class="upper" x=${x} y="0" width=${inner} height=${half} fill=${upper} />
    <rect class="lower" x=${x} y=${half} width=${inner} height=${half} fill=${lower} />
    ${own && !own.valid && html`<path class="invalid" d=${`M${x + 2} ${cellHeight - 2}L${x + inner - 2} 2`} />`}
    ${isChosen && html`<rect class="frame" x=${x - 1} y="-1" width=${inner + 2} height=${cellHeight + 2} rx="3" />`}
  </g>`;
}

/** The row of a turn; null until the rows of this group are read. */
function rowAt(place: number): AnyRow | null {
  const found = groupRows.value.value?.[place];
  return found && found.group === group.value?.id ? found : null;
}

/** Colours of a cell's halves, and its words. */
interface CellContent {
  readonly upper: string;
  readonly lower: string;
  readonly words: string;
  readonly more: string;
}

function creditOf({ episode, step }: Levels, place: number): CellContent {
  const [above, below] = [episode[place] ?? Number.NaN, step[place] ?? Number.NaN];
  return {
    upper: creditColour(above, limit.value),
    lower: creditColour(below, limit.value),
    words: signed(above + below),
    more: `episode level ${signed(above)}, step level ${signed(below)}`,
  };
}

/** Of a turn without credit: how sure the policy was. */
function surpriseOf(row: AnyRow | null): CellContent {
  const likely = row ? Math.exp(row.logProbs.reduce((sum, value) => sum + value, 0)) : Number.NaN;
  const fill = shade(row ? 1 - likely : 0, false);
  return { upper: fill, lower: fill, words: `probability ${percent(likely, 0)}`, more: 'held-out: no credit' };
}

/** From the chosen turn to those that count most in its baseline, thicker for more weight. */
function Curves({ shown, cell }: { readonly shown: RecordedGroup; readonly cell: number }) {
  const [from, found] = [turn.value, row.value];
  if (!from || !found || !hasCredit(found) || !found.stepLevel) return null;
  const at = (episode: number, step: number) =>
    [labelWidth + cell * step + cell / 2 - 1, laneHeight * episode + cellHeight / 2] as const;
  const [x0, y0] = at(from.episode, from.step);
  return html`<g class="links">
    ${found.stepLevel.neighbours.flatMap((neighbour: Neighbour) => {
      const episode = shown.episodes.findIndex(({ id }) => id === neighbour.trajectory);
      if (episode < 0 || (episode === from.episode && neighbour.step === from.step)) return [];
      const [x1, y1] = at(episode, neighbour.step);
      const bend = Math.min(70, 18 + Math.hypot(x1 - x0, y1 - y0) / 5);
      const [mx, my] = [
        (x0 + x1) / 2 + (y0 === y1 ? 0 : bend / 2),
        Math.min(y0, y1) - (y0 === y1 ? bend / 2 : 0) + Math.abs(y1 - y0) / 3,
      ];
      return html`<path d=${`M${x0} ${y0} Q${mx} ${my} ${x1} ${y1}`} stroke-width=${1 + 5 * neighbour.weight} />
        <circle cx=${x1} cy=${y1} r="3.5" />`;
    })}
  </g>`;
}

function Numbers({ longest, cell, top }: { readonly longest: number; readonly cell: number; readonly top: number }) {
  const every = longest > 24 ? 10 : longest > 12 ? 5 : 1;
  return html`<g class="numbers">
    ${Array.from({ length: longest }, (_, step) =>
      step === 0 || (step + 1) % every === 0
        ? html`<text x=${labelWidth + cell * step + cell / 2 - 1} y=${top}>${step + 1}</text>`
        : null,
    )}
  </g>`;
}

/** Where nothing is chosen yet, the first turn is. */
function move(down: number, right: number): void {
  const shown = group.peek();
  if (!shown) return;
  const from = turn.peek();
  if (!from) {
    chooseTurn(0, 0);
    return;
  }
  const episode = Math.max(0, Math.min(shown.episodes.length - 1, from.episode + down));
  const step = Math.max(0, Math.min(shown.episodes[episode]!.steps - 1, from.step + right));
  chooseTurn(episode, step);
}

/** The same task by two runs: episode under episode, with the actions marked in which they differ. */

import type { PlayedBatch, RolloutSplit } from '../../../base/playedBatch.ts';
import type { RecordedGroup } from '../../../rl/credit/record.ts';
import { firstRow } from '../credit/state.ts';
import { go, linkTo } from '../route.ts';
import { type AnyRow, hasCredit } from '../store.ts';
import { creditColour } from '../ui/colour.ts';
import { line, number, percent, plural, shown, signed } from '../ui/format.ts';
import { html } from '../ui/html.ts';
import { stepFrom, useKeys } from '../ui/keys.ts';
import { withTip } from '../ui/tip.ts';
import { type AlignedPlace, align } from './alignment.ts';
import { batchesOf, chooseTask, kept, nameOf, type Side, sides, task, tasks } from './sharedTasks.ts';

const letters = ['A', 'B'] as const;

export function SideBySide() {
  useKeys([
    { keys: ['j'], what: 'next task', run: () => move(1) },
    { keys: ['k'], what: 'previous task', run: () => move(-1) },
  ]);
  const [first, second] = sides as [Side, Side];
  if (!first.batch.value || !second.batch.value) return null;
  const problem = sides.map(({ index, rows }) => index.value.problem ?? rows.value.problem).find(Boolean);
  return html`<section class="side-by-side" aria-label="The same task side by side">
    <h2>The same task side by side</h2>
    <div class="choices">
      ${sides.map((side, at) => html`<${Choice} side=${side} letter=${letters[at]} />`)}
      <${TaskChoice} />
    </div>
    ${problem && html`<p class="problem">${shown(problem, 400)}</p>`}
    <${Pairs} first=${first} second=${second} />
  </section>`;
}

function move(step: number): void {
  const list = tasks.peek();
  const at = list.findIndex(({ id }) => id === task.peek()?.id);
  const next = stepFrom(list, at, step);
  if (next) chooseTask(next.id);
}

const chosen = (event: Event) => (event.target as HTMLSelectElement).value;

/** Which run, and which of its evaluations or iterations. */
function Choice({ side, letter }: { readonly side: Side; readonly letter: string }) {
  const { names, run, batch } = side;
  const all = batchesOf(run.value!);
  return html`<p class=${`choice side-${letter}`}>
    <b>${letter}</b>
    <select aria-label=${`Run ${letter}`} value=${run.value!.id} onChange=${(event: Event) => go({ [names.run]: chosen(event) })}>
      ${kept.value.map(({ id, name }) => html`<option value=${id}>${line(name, 60)}</option>`)}
    </select>
    <select aria-label=${`What of run ${letter}`} value=${nameOf(batch.value!)} onChange=${(event: Event) => go({ [names.batch]: chosen(event) })}>
      ${(['held-out', 'training'] as const).map((split) => html`<${Batches} split=${split} batches=${all.filter((each) => each.split === split)} />`)}
    </select>
  </p>`;
}

/** What of a split can be chosen. */
function Batches({ split, batches }: { readonly split: RolloutSplit; readonly batches: readonly PlayedBatch[] }) {
  if (batches.length === 0) return null;
  const isHeldOut = split === 'held-out';
  return html`<optgroup label=${isHeldOut ? 'held-out tasks' : 'training tasks'}>
    ${batches.map((batch) => html`<option value=${nameOf(batch)}>${isHeldOut ? `held-out, ${batch.iteration === 0 ? 'before training' : `after ${batch.iteration}`}` : `iteration ${batch.iteration}`}</option>`)}
  </optgroup>`;
}

/** Which of the tasks that both played. */
function TaskChoice() {
  const list = tasks.value;
  if (list.length === 0) return null;
  return html`<p class="choice">
    <label>task
      <select aria-label="Task" value=${task.value?.id} onChange=${(event: Event) => chooseTask(chosen(event))}>
        ${list.map(({ id, instruction, wins }) => html`<option value=${id}>${line(instruction, 70)} (A ${wins[0]}, B ${wins[1]})</option>`)}
      </select>
    </label>
    <span class="muted">${plural(list.length, 'task')} in both, those first that they solve differently</span>
  </p>`;
}

function Pairs({ first, second }: { readonly first: Side; readonly second: Side }) {
  const isRead = sides.every(({ index }) => index.value.value);
  if (isRead && tasks.value.length === 0)
    return html`<p class="muted">These have no task in common. Evaluations of runs with the same evaluation.seed play the same held-out tasks, and iterations of runs with the same seed the same training tasks.</p>`;
  const [a, b] = [lanesOf(first), lanesOf(second)];
  if (!a || !b) return isRead ? html`<p class="muted">The turns of this task were not kept.</p>` : null;
  const pairs = Array.from({ length: Math.max(a.length, b.length) }, (_, at) => {
    const [upper, lower] = [a[at] ?? null, b[at] ?? null];
    return { upper, lower, places: align(actionsOf(upper), actionsOf(lower)) };
  });
  const credited = [...a, ...b].flatMap(({ rows }) => rows.filter(hasCredit));
  const limit = Math.max(1e-9, ...credited.map(({ advantage }) => Math.abs(advantage)));
  return html`<div class="pairs">
      ${pairs.map(
        ({ upper, lower, places }) => html`<div class="pair">
        <${Lane} lane=${upper} letter="A" places=${places.map(({ first: at, isSame }: AlignedPlace) => ({ at, isSame }))} limit=${limit} />
        <${Lane} lane=${lower} letter="B" places=${places.map(({ second: at, isSame }: AlignedPlace) => ({ at, isSame }))} limit=${limit} />
      </div>`,
      )}
    </div>
    <p class="note">Framed: not what the other did. ${credited.length > 0 ? 'The bar under an action is its credit, blue for praise and orange for blame; a click leads to why.' : 'Nothing is learned from held-out episodes, so no action has credit; a click leads to the turn.'}</p>`;
}

/** An episode. */
interface LaneContent {
  readonly side: Side;
  readonly episode: number;
  readonly recorded: RecordedGroup['episodes'][number];
  readonly rows: readonly AnyRow[];
}

function lanesOf(side: Side): LaneContent[] | null {
  const [group, rows] = [side.group.value, side.rows.value.value];
  // Rows of the task before this one stay until the new ones are there.
  if (!group || !rows || rows[0]?.group !== group.id) return null;
  return group.episodes.map((recorded, episode) => {
    const start = firstRow(group, episode);
    return { side, episode, recorded, rows: rows.slice(start, start + recorded.steps) };
  });
}

const actionsOf = (lane: LaneContent | null) => lane?.rows.map(({ action }) => action) ?? [];

interface LaneProps {
  readonly lane: LaneContent | null;
  readonly letter: string;
  readonly places: readonly { readonly at: number | null; readonly isSame: boolean }[];
  readonly limit: number;
}

function Lane({ lane, letter, places, limit }: LaneProps) {
  if (!lane) return null;
  const { side, episode, recorded, rows } = lane;
  return html`<ol class=${`lane side-${letter}`} aria-label=${`Run ${letter}, episode ${episode + 1}`}>
    <li class="who"><b>${letter}</b> ${episode + 1} <i class=${recorded.success ? 'win' : 'loss'} /></li>
    ${places.map(({ at, isSame }) => (at === null ? html`<li class="gap" />` : html`<${Action} ...${{ side, episode, at, row: rows[at], isSame, limit }} />`))}
    <li class="end">${number(recorded.return)}</li>
  </ol>`;
}

interface ActionProps {
  readonly side: Side;
  readonly episode: number;
  readonly at: number;
  readonly row: AnyRow;
  readonly isSame: boolean;
  readonly limit: number;
}

function Action({ side, episode, at, row, isSame, limit }: ActionProps) {
  const { run, batch, place } = side;
  const { split, iteration } = batch.value!;
  const credit = hasCredit(row) ? row.advantage : null;
  const target = {
    run: run.value!.id,
    split: split === 'training' ? null : split,
    it: iteration,
    task: place.value,
    ep: episode + 1,
    step: at + 1,
  };
  const likely = Math.exp(row.logProbs.reduce((sum, value) => sum + value, 0));
  const tip = () =>
    html`<b>${line(row.action, 200)}</b><br />turn ${at + 1}, probability ${percent(likely, 0)}${credit === null ? '' : `, credit ${signed(credit)}`}`;
  return html`<li class=${isSame ? 'same' : 'other'}>
    <a href=${linkTo('credit', target)} ...${withTip(tip)}>
      <span>${line(row.action || '(nothing)', 80)}</span>
      ${credit !== null && html`<i style=${{ background: creditColour(credit, limit) }} />`}
    </a>
  </li>`;
}

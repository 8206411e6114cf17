/** An episode of the newest iteration, turn by turn as it was played. */
import { computed, effect, signal } from '@preact/signals';
import { isMixed } from '../../../rl/credit/mixed.ts';
import { loadGroup, loadIndex, run } from '../store.ts';
import { line } from '../ui/format.ts';
import { html } from '../ui/html.ts';

/** Milliseconds that a turn is shown. */
const turnMs = 900;
/** Turns that stay on the screen. */
const mostTurns = 5;

interface Watched {
  readonly iteration: number;
  readonly rows: NonNullable<Awaited<ReturnType<typeof loadGroup>>>;
}

const watched = signal<Watched | null>(null);
const turn = signal(0);
const newest = computed(() => {
  const { id, rollouts = [] } = run.value ?? {};
  const iteration = rollouts.at(-1);
  return id === undefined || iteration === undefined ? null : { id, iteration };
});

/** An episode is watched to its end before one of a newer iteration takes its place. */
const isOver = computed(() => !watched.value || turn.value >= watched.value.rows.length);

effect(() => {
  const next = newest.value;
  if (next && isOver.value && watched.peek()?.iteration !== next.iteration) void load(next.id, next.iteration);
});

async function load(id: string, iteration: number): Promise<void> {
  const batch = { split: 'training', iteration } as const;
  const index = await loadIndex(id, batch);
  if (!index) return;
  const place = Math.max(0, index.groups.findIndex(isMixed));
  const rows = await loadGroup(id, batch, index.groups[place]?.rows);
  const best = index.groups[place]?.episodes.find(({ success }) => success) ?? index.groups[place]?.episodes[0];
  watched.value = { iteration, rows: rows?.filter(({ trajectory }) => trajectory === best?.id) ?? [] };
  turn.value = 0;
}

setInterval(() => {
  if (!isOver.peek()) turn.value++;
}, turnMs);

export function Watch() {
  const found = watched.value;
  if (!found || found.rows.length === 0) return null;
  const { rows, iteration } = found;
  const shown = rows.slice(Math.max(0, turn.value - mostTurns), Math.max(1, turn.value));
  const last = rows.at(-1)!;
  return html`<section class="watch" aria-label="An episode as it was played">
    <h2>An episode of iteration ${iteration}: ${line(rows[0]!.instruction, 160)}</h2>
    <ol start=${shown[0]!.step + 1}>
      ${shown.map(({ observation, action }) => html`<li><span>${line(observation, 200)}</span><b>${line(action, 80)}</b></li>`)}
    </ol>
    <p class="muted">${isOver.value ? (last.success ? 'It succeeded.' : 'It did not succeed.') : `turn ${turn.value} of ${rows.length}`}
      <button type="button" onClick=${() => (turn.value = 0)}>again</button></p>
  </section>`;
}

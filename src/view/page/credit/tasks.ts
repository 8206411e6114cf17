/** The tasks of an iteration, with a dot an episode. Only those in sight are drawn, however many there are. */
import { computed, signal, useSignal } from '@preact/signals';
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { isMixed, successesOf } from '../../../rl/credit/mixed.ts';
import type { RecordedGroup } from '../../../rl/credit/record.ts';
import { line, plural } from '../ui/format.ts';
import { html } from '../ui/html.ts';
import { stepFrom, useKeys } from '../ui/keys.ts';
import { chooseTask, index, split, task } from './state.ts';

const height = 58;
const filter = signal('');

/** Places of the groups that fit the filter. */
const found = computed(() => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = index.value.value?.groups ?? [];
  return groups.flatMap((group, place) => {
    const text = `${group.type} ${group.instruction} ${group.id} ${isMixed(group) ? 'mixed' : 'alike'}`.toLowerCase();
    return words.every((word) => text.includes(word)) ? [place] : [];
  });
});

function move(step: number): void {
  const places = found.peek();
  const at = places.indexOf(task.peek());
  const next = stepFrom(places, at, step);
  if (next !== undefined) chooseTask(next);
}

export function Tasks() {
  const search = useRef<HTMLInputElement>(null);
  useKeys([
    { keys: ['j'], what: 'next task', run: () => move(1) },
    { keys: ['k'], what: 'previous task', run: () => move(-1) },
    { keys: ['/'], what: 'find a task', run: () => search.current?.focus() },
  ]);
  const groups = index.value.value?.groups ?? [];
  const isTraining = split.value === 'training';
  const told = isTraining
    ? `${groups.filter(isMixed).length} with mixed outcomes`
    : `${groups.filter(successesOf).length} solved`;
  return html`<aside class="tasks" aria-label="Tasks">
    <input ref=${search} type="search" placeholder="Find a task  ( / )" aria-label="Find a task" value=${filter.value}
      onInput=${(event: Event) => (filter.value = (event.target as HTMLInputElement).value)} />
    <p class="small muted">${plural(groups.length, 'task')}, ${told}</p>
    <${List} groups=${groups} places=${found.value} />
  </aside>`;
}

function List({ groups, places }: { readonly groups: readonly RecordedGroup[]; readonly places: readonly number[] }) {
  const host = useRef<HTMLDivElement>(null);
  const drawn = useSignal(0);
  const list = useRef<Virtualizer<HTMLDivElement, Element> | null>(null);
  list.current ??= new Virtualizer<HTMLDivElement, Element>({
    count: places.length,
    getScrollElement: () => host.current,
    estimateSize: () => height,
    overscan: 4,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => {
      drawn.value++;
    },
  });
  const virtual = list.current;
  virtual.setOptions({ ...virtual.options, count: places.length });
  useLayoutEffect(() => virtual._didMount(), [virtual]);
  useLayoutEffect(() => virtual._willUpdate());
  const chosen = places.indexOf(task.value);
  useEffect(() => {
    if (chosen >= 0) virtual.scrollToIndex(chosen, { align: 'auto' });
  }, [chosen, virtual]);
  return html`<div class="list" ref=${host} data-drawn=${drawn.value}>
    <div style=${{ height: `${virtual.getTotalSize()}px` }}>
      ${virtual.getVirtualItems().map((item) => {
        const place = places[item.index]!;
        return html`<${Task} key=${place} group=${groups[place]} place=${place} top=${item.start} />`;
      })}
    </div>
    ${places.length === 0 && html`<p class="muted">No task has these words.</p>`}
  </div>`;
}

interface TaskProps {
  readonly group: RecordedGroup;
  readonly place: number;
  readonly top: number;
}

function Task({ group, place, top }: TaskProps) {
  const wins = successesOf(group);
  return html`<button type="button" class=${`task ${isMixed(group) || split.value === 'held-out' ? '' : 'alike'}`} style=${{ top: `${top}px`, height: `${height}px` }}
    aria-current=${place === task.value ? 'true' : null} onClick=${() => chooseTask(place)}>
    <span class="name">${line(group.instruction || group.id, 120)}</span>
    <span class="dots" aria-label=${`${wins} of ${group.episodes.length} succeeded`}>
      ${group.episodes.map(({ success }) => html`<i class=${success ? 'win' : 'loss'} />`)}
      <em>${line(group.type, 30)}</em>
    </span>
  </button>`;
}

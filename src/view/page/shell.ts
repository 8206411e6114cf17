/** The frame around all views: which run, which view, how it stands, light or dark, and what keys do. */
import { effect, signal } from '@preact/signals';
import { Compare } from './compare/compare.ts';
import { Credit } from './credit/credit.ts';
import { Live } from './live/live.ts';
import { Profile } from './profile/profile.ts';
import { go, linkTo, route, type View, views } from './route.ts';
import { badLines, type Connection, choose, connection, diskPage, run, runs } from './store.ts';
import { chosenTheme, isDark } from './ui/colour.ts';
import { plural, shown } from './ui/format.ts';
import { html } from './ui/html.ts';
import { bindings, type KeyBinding, stepFrom, useKeys } from './ui/keys.ts';
import { hideTip, TipLayer } from './ui/tip.ts';

const names: Readonly<Record<View, string>> = {
  live: 'Live',
  credit: 'Credit',
  compare: 'Compare',
  profile: 'Profile',
};
const pages: Readonly<Record<View, () => unknown>> = { live: Live, credit: Credit, compare: Compare, profile: Profile };
const isHelpOpen = signal(false);

const states = {
  waiting: 'not there yet',
  running: 'running',
  finished: 'finished',
  stopped: 'stopped',
  failed: 'failed',
  ended: 'ended early',
} as const;

const emptyWords: Readonly<Record<Connection, string>> = {
  connecting: 'Reading…',
  damaged: 'This file is damaged, or was cut short: write it again with proxmo view RUN --html FILE.',
  open: 'There is no run.',
  lost: 'There is no run.',
  disk: 'There is no run.',
};

effect(() => {
  document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light';
});
effect(() => {
  const { view } = route.value;
  document.title = `${run.value?.name ?? 'proxmo'}: ${names[view].toLowerCase()}`;
  hideTip();
});

const keys: readonly KeyBinding[] = [
  ...views.map((view, index) => ({ keys: [String(index + 1)], what: names[view], run: () => go({}, view) })),
  { keys: ['['], what: 'previous run', run: () => next(-1) },
  { keys: [']'], what: 'next run', run: () => next(1) },
  { keys: ['d'], what: 'light or dark', run: toggleTheme },
  { keys: ['?'], what: 'this list', run: () => (isHelpOpen.value = !isHelpOpen.value) },
  { keys: ['Escape'], what: 'close', run: () => (isHelpOpen.value = false) },
];

function next(step: number): void {
  const list = runs.peek();
  const at = list.findIndex(({ id }) => id === run.peek()?.id);
  const chosen = stepFrom(list, at, step);
  if (chosen) choose(chosen.id);
}

function toggleTheme(): void {
  chosenTheme.value = isDark.peek() ? 'light' : 'dark';
}

/** @param empty what it says while there is no run, where a visitor is to start one */
export function Shell({ empty }: { readonly empty?: string }) {
  useKeys(keys);
  const { view } = route.value;
  const Page = pages[view];
  return html`
    <header class="top">
      <${RunChoice} />
      <nav aria-label="Views">
        ${views.map((each) => html`<a href=${linkTo(each, {})} aria-current=${each === view ? 'page' : null}>${names[each]}</a>`)}
      </nav>
      <div class="tools">
        <button type="button" onClick=${toggleTheme} aria-label="Light or dark" title="Light or dark (d)"><${ThemeIcon} /></button>
        <button type="button" onClick=${() => (isHelpOpen.value = true)} aria-label="Keys" title="Keys (?)">?</button>
      </div>
    </header>
    <${Notices} />
    ${runs.value.length > 0 ? html`<${Page} />` : html`<main class="muted empty">${empty ?? emptyWords[connection.value]}</main>`}
    ${isHelpOpen.value && html`<${Help} />`}
    <${TipLayer} />
  `;
}

/** Half filled, as fonts need not have a sun and a moon. */
function ThemeIcon() {
  return html`<svg width="15" height="15" viewBox="0 0 16 16" aria-hidden="true">
    <circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="1.5" />
    <path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />
  </svg>`;
}

function RunChoice() {
  const info = run.value;
  if (!info) return html`<div class="run" />`;
  return html`<div class="run">
    ${
      runs.value.length > 1
        ? html`<select aria-label="Run" value=${info.id} onChange=${(event: Event) => choose((event.target as HTMLSelectElement).value)}>
          ${runs.value.map(({ id, name }) => html`<option value=${id}>${shown(name, 60)}</option>`)}
        </select>`
        : html`<h1>${shown(info.name, 60)}</h1>`
    }
    <span class=${`state ${info.state}`}>${states[info.state]}</span>
  </div>`;
}

function Notices() {
  const lost = connection.value === 'lost';
  const isTraining = runs.value.some(({ state }) => state === 'running' || state === 'waiting');
  const bad = badLines.value.get(run.value?.id ?? '') ?? 0;
  const page = diskPage.value;
  const lacks = page?.leftOut[run.value?.id ?? ''];
  return html`
    ${page && html`<p class="notice quiet">As the run stood on ${new Date(page.time).toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short' })}. ${lacks && html`${shown(lacks, 1000)} <code>proxmo view ${shown(run.value?.dir ?? 'RUN', 200)}</code> shows all.`}</p>`}
    ${lost && html`<p class="notice">${isTraining ? 'The server of this page has ended' : 'The training is over, and the server of this page with it'}: nothing new comes, and what was not opened cannot be read here. <code>proxmo view ${shown(run.value?.dir ?? 'RUN', 200)}</code> opens it again.</p>`}
    ${bad > 0 && html`<p class="notice">${plural(bad, 'line')} of metrics.jsonl ${bad === 1 ? 'is' : 'are'} damaged and left out.</p>`}
  `;
}

const keyNames: Readonly<Record<string, string>> = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
};

function Help() {
  return html`<div class="veil" onClick=${() => (isHelpOpen.value = false)}>
    <dialog open aria-label="Keys">
      <h2>Keys</h2>
      <dl>${bindings().map(({ keys: list, what }) => html`<div><dt>${list.map((key) => html`<kbd>${keyNames[key] ?? key}</kbd> `)}</dt><dd>${what}</dd></div>`)}</dl>
    </dialog>
  </div>`;
}

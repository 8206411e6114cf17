/** A tab that works for a fleet: asks whom to work for, and shows what it did. */
import { signal } from '@preact/signals';
import { render } from 'preact';
import { packageVersion } from '../../../base/packageVersion.ts';
import type { FromTab, ToTab } from '../../fleetTab/messages.ts';
import { html } from '../ui/html.ts';
import './fleetTab.css';

/** Lines of what happened that are shown. */
const mostLines = 200;

const state = signal<'asking' | 'working' | 'ended'>('asking');
const adapter = signal('');
const lines = signal<readonly string[]>([]);
const pieces = signal(0);
const asked = new URLSearchParams(location.search);
const worker = new Worker('worker.js', { type: 'module' });
const tell = (message: FromTab) => worker.postMessage(message);

worker.addEventListener('message', ({ data }: MessageEvent<ToTab>) => {
  if (data.kind === 'adapter') adapter.value = data.name;
  else if (data.kind === 'event') showEvent(data.event);
  else {
    state.value = 'ended';
    show(
      data.kind === 'problem' ? data.text : `${data.tally.pieces} pieces, ${data.tally.episodes} episodes. Thank you.`,
    );
  }
});

function showEvent(event: Extract<ToTab, { kind: 'event' }>['event']): void {
  if (event.kind === 'piece') pieces.value++;
  show(describe(event));
}

function describe(event: Extract<ToTab, { kind: 'event' }>['event']): string {
  switch (event.kind) {
    case 'waiting':
      return event.run === null ? 'waiting for a run' : `waiting for the run ${event.run}`;
    case 'joined':
      return `working for ${event.run}`;
    case 'piece':
      return `${event.name}, piece ${event.index + 1}: ${event.seconds.toFixed(1)} s`;
    case 'left':
      return `${event.run} has ended`;
    case 'notice':
      return event.text;
  }
}

function show(text: string): void {
  lines.value = [text, ...lines.value].slice(0, mostLines);
}

function join(event: SubmitEvent): void {
  event.preventDefault();
  const form = new FormData(event.target as HTMLFormElement);
  const text = (name: string) => String(form.get(name) ?? '').trim();
  state.value = 'working';
  tell({
    kind: 'join',
    address: text('address'),
    run: text('run'),
    user: text('user'),
    password: text('password'),
    version: packageVersion,
  });
}

function field(label: string, name: string, type = 'text', required = false) {
  const value = type === 'password' ? '' : (asked.get(name) ?? '');
  return html`<label>${label}<input name=${name} type=${type} value=${value} required=${required} /></label>`;
}

function Tab() {
  return html`<main>
    <h1>A worker of a proxmo fleet</h1>
    <p>This tab plays episodes of a run with the GPU of this machine, until the run ends or you stop it.</p>
    <form onSubmit=${join} hidden=${state.value !== 'asking'}>
      ${field('Websocket of the server, as wss://HOST:8080', 'address', 'text', true)}
      ${field('Run (empty for any)', 'run')} ${field('User, if the server wants one', 'user')}
      ${field('Password', 'password', 'password')}
      <button>Join</button>
    </form>
    <p role="status">
      ${adapter.value === '' ? '' : `on ${adapter.value}: `}${pieces.value} pieces
      <button hidden=${state.value !== 'working'} onClick=${() => tell({ kind: 'stop' })}>Stop</button>
    </p>
    <ol>${lines.value.map((line) => html`<li>${line}</li>`)}</ol>
  </main>`;
}

render(html`<${Tab} />`, document.body);

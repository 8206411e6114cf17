/** What is looked at stands in the address, after the `#`, so that a link leads to it and Back goes back. */
import { computed, signal } from '@preact/signals';

export const views = ['live', 'credit', 'compare', 'profile'] as const;
export type View = (typeof views)[number];

interface Route {
  readonly view: View;
  readonly parameters: Readonly<Record<string, string>>;
}

function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const view = views.find((each) => each === path) ?? 'live';
  return { view, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

export const route = signal(parse(location.hash));
addEventListener('hashchange', () => {
  const next = parse(location.hash);
  if (toHash(next) !== toHash(route.peek())) route.value = next;
});

/** A parameter of the address; undefined where it is not given. */
export function parameter(name: string): string | undefined {
  return route.value.parameters[name];
}

/** A signal of one parameter, for those who should not be drawn again by the others. */
export function parameterSignal(name: string) {
  return computed(() => route.value.parameters[name]);
}

type Changes = Readonly<Record<string, string | number | null | undefined>>;

/** An address that differs from the one at hand: null takes a parameter out. */
export function linkTo(view: View, changes: Changes): string {
  return toHash(changed(view, changes));
}

/**
 * Goes there.
 * @param isStep whether Back should come back here
 */
export function go(changes: Changes, view: View = route.peek().view, isStep = true): void {
  const next = changed(view, changes);
  const hash = toHash(next);
  if (hash === toHash(route.peek())) return;
  if (isStep) history.pushState(null, '', hash);
  else history.replaceState(null, '', hash);
  route.value = next;
}
addEventListener('popstate', () => {
  route.value = parse(location.hash);
});

function changed(view: View, changes: Changes): Route {
  const parameters: Record<string, string> = { ...route.value.parameters };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined) delete parameters[name];
    else parameters[name] = String(value);
  }
  return { view, parameters };
}

function toHash({ view, parameters }: Route): string {
  const query = new URLSearchParams(parameters).toString();
  return `#${view}${query && `?${query}`}`;
}

/** What is said of a name that is none. */
import { ProxmoError } from '../base/errors.ts';
import { nearestKey } from '../base/nearestKey.ts';

/** @param kind of thing that is named, as `preset` */
export function noSuchName(kind: string, name: string, names: readonly string[]): ProxmoError {
  const meant = nearestKey(name, names);
  const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
  return new ProxmoError('usage', `There is no ${kind} ${name}${hint}; choose one of ${names.join(', ')}.`);
}

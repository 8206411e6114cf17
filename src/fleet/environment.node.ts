/**
 * The environments that a worker plays for others. What a run names is no order: a worker opens registered environments
 * alone, starts no program, calls no address, and reads data from where its own user says, not from where the run does.
 */
import { ProxmoError } from '../base/errors.ts';
import { createNamedTaskSet, environmentEntries, type NamedEnvironment } from '../envs/registry.node.ts';
import type { OpenTaskSet } from './stage.ts';

const playable = environmentEntries.filter(({ starts }) => !starts);
/** Of the environments that workers play, wherever their data is. */
export const playableNames: readonly string[] = playable.map(({ name }) => name);

/** @param paths options of environments that are paths here, by their names */
export function openTaskSetWith(paths: Readonly<Record<string, string>>): OpenTaskSet {
  return ({ name, options }: NamedEnvironment) => {
    const entry = playable.find((candidate) => candidate.name === name);
    if (!entry)
      throw new ProxmoError(
        'config',
        `The run plays ${JSON.stringify(name)}, which a worker does not: it plays ${playableNames.join(', ')}, which start nothing.`,
      );
    const pathNames = Object.keys(entry.paths ?? {});
    const others = Object.entries(options).filter(([key]) => !pathNames.includes(key));
    const own = Object.entries(paths).filter(([key]) => pathNames.includes(key));
    return createNamedTaskSet(name, Object.fromEntries([...others, ...own]));
  };
}

/** Names of the environments that such a worker has the data of. @param paths as of `openTaskSetWith` */
export function environmentsWith(paths: Readonly<Record<string, string>>): string[] {
  return playable.filter(({ has }) => !has || has(paths)).map(({ name }) => name);
}

/**
 * What settings may start. A run folder or a configuration may come from anybody, and its environment starts a program,
 * loads a module or talks to a server, as its estimator, policy loss and task sampler may be modules. That happens only
 * if this user agreed to it, by making a run with it or when asked.
 */
import { ProxmoError } from '../base/errors.ts';
import { isSystemError } from '../base/systemErrors.node.ts';
import { type NamedEnvironment, startedBy } from '../envs/registry.node.ts';
import { describeStarted, type Started } from '../envs/started.ts';
import type { LoadedModule } from '../runs/run.ts';
import { isTrusted, rememberTrust } from '../runs/trust.ts';
import { startedByOwn } from './own/modules.node.ts';
import type { OwnSettings } from './own/settings.ts';

/**
 * Asks this user.
 * @param source what would start it, for people: a run's folder, a configuration file
 */
export type Agree = (started: Started, source: string) => Promise<boolean>;

/** Settings that may start something: those of a run that trains, or an environment alone. */
export type Starting = { readonly environment: NamedEnvironment } & (
  | OwnSettings
  | { readonly [K in keyof OwnSettings]?: never }
);

/**
 * All that settings start.
 * @throws {ProxmoError} `config`, `file` if they are not valid
 */
export async function startedBySettings(settings: Starting): Promise<Started[]> {
  const started = await startedBy(settings.environment);
  return [...(started === null ? [] : [started]), ...(settings.advantages ? await startedByOwn(settings) : [])];
}

/** The modules among it, as a run's record has them. @throws {ProxmoError} as `startedBySettings` */
export async function loadedModules(settings: Starting): Promise<LoadedModule[]> {
  const all = await startedBySettings(settings);
  return all.flatMap((started) => (started.kind === 'module' ? [{ path: started.path, sha256: started.sha256 }] : []));
}

/**
 * Makes sure that this user agreed to what settings start, and remembers a new agreement.
 * @param agree asked where there is no agreement yet; nobody by default
 * @throws {ProxmoError} `untrusted` if there is none; `config`, `file` if the settings are not valid
 */
export async function requireAgreement(settings: Starting, source: string, agree?: Agree): Promise<void> {
  for (const started of await startedBySettings(settings)) await requireOne(started, source, agree);
}

async function requireOne(started: Started, source: string, agree: Agree = async () => false): Promise<void> {
  let problem = '';
  const known = await isTrusted(started).catch((error: unknown) => {
    if (!(error instanceof ProxmoError)) throw error;
    problem = ` ${error.message}`;
    return false;
  });
  if (known) return;
  if (!(await agree(started, source)))
    throw new ProxmoError(
      'untrusted',
      `${source} would ${describeStarted(started)}, to which you did not agree; look at it, and give --trust (in a program, agree) to allow it.${problem}`,
    );
  await remember(started);
}

/** Remembers what this user lets settings start of his own accord. */
export async function agreeTo(settings: Starting): Promise<void> {
  for (const started of await startedBySettings(settings)) await remember(started);
}

async function remember(started: Started): Promise<void> {
  await rememberTrust(started).catch((error: unknown) => {
    // Without a folder for it, the same is asked again, and then the reason is told.
    if (!(error instanceof ProxmoError || isSystemError(error))) throw error;
  });
}

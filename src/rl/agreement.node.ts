/**
 * What an environment may start. A run folder or a configuration may come from anybody, and its environment starts a
 * program, loads a module or talks to a server: that happens only if this user agreed to it, by making a run with it or
 * when asked.
 */
import { ProxmoError } from '../base/errors.ts';
import { isSystemError } from '../base/systemErrors.node.ts';
import { type NamedEnvironment, startedBy } from '../envs/registry.node.ts';
import { describeStarted, type Started } from '../envs/started.ts';
import { isTrusted, rememberTrust } from '../runs/trust.ts';

/**
 * Asks this user.
 * @param source what would start it, for people: a run's folder, a configuration file
 */
export type Agree = (started: Started, source: string) => Promise<boolean>;

/**
 * Makes sure that this user agreed to what an environment starts, and remembers a new agreement.
 * @param agree asked where there is no agreement yet; nobody by default
 * @throws {ProxmoError} `untrusted` if there is none; `config`, `file` if the environment is not valid
 */
export async function requireAgreement(
  environment: NamedEnvironment,
  source: string,
  agree: Agree = async () => false,
): Promise<void> {
  const started = await startedBy(environment);
  if (started === null) return;
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

/** Remembers what this user lets an environment start of his own accord. */
export async function agreeTo(environment: NamedEnvironment): Promise<void> {
  const started = await startedBy(environment);
  if (started !== null) await remember(started);
}

async function remember(started: Started): Promise<void> {
  await rememberTrust(started).catch((error: unknown) => {
    // Without a folder for it, the same is asked again, and then the reason is told.
    if (!(error instanceof ProxmoError || isSystemError(error))) throw error;
  });
}

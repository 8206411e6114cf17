/**
 * Environments of users: a JavaScript module whose default export makes a task set from its options.
 *
 *   export default (options, { defineTaskSet }) => defineTaskSet({ name: 'doors', … });
 *
 * What is needed to make one comes as the second argument, so that the file needs no import and works wherever it lies.
 * It may be TypeScript where Node reads that, from 22.18 on.
 */
import { access, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ProxmoError } from '../base/errors.ts';
import { digestOfFile } from '../base/wholeFile.node.ts';
import { defineTaskSet } from './define.ts';
import type { TaskSet } from './environment.ts';
import { guardTaskSet, ModuleCode } from './moduleGuard.ts';
import type { Started } from './started.ts';
import { syntaxErrorPlace } from './syntaxPlace.node.ts';
import { taskSetProblem } from './turns.ts';

const toolkit = { defineTaskSet, ProxmoError } as const;
/** What a module's default export is handed besides the options. */
export type ModuleToolkit = typeof toolkit;

/** The default export of such a module. */
export type ModuleFactory = (
  options: Readonly<Record<string, unknown>>,
  toolkit: ModuleToolkit,
) => TaskSet | Promise<TaskSet>;

/**
 * Whether the name of an environment is the path of a module: `./x`, `../x`, `/x`, or anything that ends like a module.
 */
export function isModulePath(name: string): boolean {
  return /^(\.{1,2}[/\\]|[/\\]|[A-Za-z]:[/\\])/.test(name) || /\.[cm]?[jt]s$/.test(name);
}

/** The name of an environment with a module's path made absolute, so that it means the same from every folder. */
export function absoluteName(name: string): string {
  return isModulePath(name) ? resolve(name) : name;
}

/**
 * Loads a module and makes its task set.
 * @param path relative to the working directory, or absolute
 * @throws {ProxmoError} `file` if there is no such file; `config` if it cannot be loaded, exports no function, or that
 * fails
 */
export async function createModuleTaskSet(path: string, options: Readonly<Record<string, unknown>>): Promise<TaskSet> {
  const file = resolve(path);
  const code = new ModuleCode(file, pathToFileURL(file).href);
  const factory = await loadFactory(file, 'environment', 'export default (options, { defineTaskSet }) => …');
  let set: TaskSet;
  try {
    set = await (factory as ModuleFactory)(options, toolkit);
  } catch (error) {
    throw new ProxmoError('config', `${file}${code.placeOf(error)}: making the task set failed: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const problem = taskSetProblem(set);
  if (problem !== null)
    throw new ProxmoError('config', `${file}: the default export gives no task set: ${problem}; see defineTaskSet.`);
  return guardTaskSet(set, code);
}

/**
 * The default export of a user's module.
 * @param kind of thing that it makes, as `environment`
 * @param form how such an export is written
 * @throws {ProxmoError} `file` if there is no such file; `config` if it cannot be loaded or exports no function
 */
export async function loadFactory(path: string, kind: string, form: string): Promise<(...given: never[]) => unknown> {
  const file = resolve(path);
  const { default: factory } = await load(file, kind);
  if (typeof factory === 'function') return factory as (...given: never[]) => unknown;
  throw new ProxmoError('config', `${file} has no function as its default export; write \`${form}\`.`);
}

/**
 * What is loaded from such a path.
 * @param kind of thing that it makes
 * @throws {ProxmoError} `file` if there is no such file
 */
export async function startedModule(path: string, kind = 'environment'): Promise<Started> {
  const file = resolve(path);
  await checkModuleFile(file, kind);
  // What has no end, as a pipe, is not read here.
  const isFile = (await stat(file)).isFile();
  return { kind: 'module', path: file, sha256: isFile ? (await digestOfFile(file)).sha256 : null };
}

/** @throws {ProxmoError} `file` if there is no such file */
export async function checkModuleFile(file: string, kind = 'environment'): Promise<void> {
  await access(file).catch((cause) => {
    throw new ProxmoError('file', `There is no ${kind} module ${file}; give its path from the working directory.`, {
      cause,
    });
  });
}

async function load(file: string, kind: string): Promise<{ readonly default?: unknown }> {
  const code = new ModuleCode(file, pathToFileURL(file).href);
  await checkModuleFile(file, kind);
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    if (isTypeScript(file) && (error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw new ProxmoError(
        'config',
        `${file} is TypeScript, which Node ${process.versions.node} does not read; use Node 22.18 or later, or compile it to JavaScript.`,
        { cause: error },
      );
    }
    const place =
      error instanceof SyntaxError ? ((await syntaxErrorPlace(file)) ?? file) : `${file}${code.placeOf(error)}`;
    throw new ProxmoError('config', `${place}: the ${kind} module cannot be loaded: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function isTypeScript(file: string): boolean {
  return /\.[cm]?ts$/.test(file);
}

/** An error's message on one line. */
function messageOf(error: unknown): string {
  const text =
    error instanceof Error
      ? error.name === 'ProxmoError'
        ? error.message
        : `${error.name}: ${error.message}`
      : String(error);
  return text.replace(/\s*\n\s*/g, ' ');
}

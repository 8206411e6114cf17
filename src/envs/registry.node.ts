/**
 * Every environment that Node can run, by the name that configurations use; and, in place of a name, the path of a
 * module of the user's own.
 */
import { resolve } from 'node:path';
import type { z } from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { nearestKey } from '../base/nearestKey.ts';
import { fetchAlfworld } from './alfworld/fetch.node.ts';
import { createAlfworldTaskSet } from './alfworld/index.node.ts';
import { hasGames } from './alfworld/library.node.ts';
import { alfworldOptionsSchema } from './alfworld/options.ts';
import { addressOf, createHttpTaskSet, httpOptionsSchema } from './bridge/http.ts';
import { createProcessTaskSet, processOptionsSchema, programOf } from './bridge/process.node.ts';
import type { DataFetcher } from './dataFetcher.ts';
import type { TaskSet } from './environment.ts';
import { householdOptionsSchema } from './household/options.ts';
import { environments, type TaskSetFactory } from './index.ts';
import { absoluteName, checkModuleFile, createModuleTaskSet, isModulePath, startedModule } from './module.node.ts';
import type { Started } from './started.ts';
import { hasCatalogue } from './webshop/data.node.ts';
import { createWebshopTaskSet } from './webshop/index.node.ts';
import { webshopOptionsSchema } from './webshop/options.ts';

/** Settings of a run that fit the texts of an environment: whole prompts with two past turns, and whole replies. */
export interface EnvironmentDefaults {
  readonly prompt: { readonly maxTokens: number };
  readonly sampling: { readonly maxNewTokens: number };
}

/**
 * What texts are read and written as: words of the environment's own vocabulary, or the `think-action` messages of
 * pretrained models.
 */
type TextForm = 'words' | 'messages';

/** An environment, for a list. */
export interface EnvironmentEntry {
  readonly name: string;
  /** What it is. */
  readonly what: string;
  /** Where its tasks and texts come from. */
  readonly data: string;
  readonly create: TaskSetFactory;
  /** Its options. */
  readonly options: z.ZodType;
  /** Settings that fit its texts with these options. */
  readonly defaults: (options: Readonly<Record<string, unknown>>) => Readonly<Record<TextForm, EnvironmentDefaults>>;
  /**
   * What it starts outside of this package with these options, if anything.
   * @throws {ProxmoError} `config` if they are wrong
   */
  readonly starts?: (options: Readonly<Record<string, unknown>>) => Started;
  /** Gets its data from where they are published. */
  readonly fetch?: DataFetcher;
  /** Whether its data can be had with these paths, without reading it; not set where it needs none. */
  readonly has?: (paths: Readonly<Record<string, string>>) => boolean;
  /** Options that are paths, with what they are if left out. */
  readonly paths?: Readonly<Record<string, string | null>>;
}

/** An environment as configurations name it. */
export interface NamedEnvironment {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Of environments that nothing is known of. */
const usualDefaults = { words: lengths(512, 32), messages: lengths(2048, 512) };

export const environmentEntries: readonly EnvironmentEntry[] = [
  {
    name: 'household',
    what: 'find things in a house, clean, heat or cool them, put them somewhere',
    data: 'generated',
    create: environments.household!,
    options: householdOptionsSchema,
    defaults: () => ({ words: lengths(192, 6), messages: lengths(1024, 256) }),
  },
  {
    name: 'alfworld',
    what: "ALFWorld's 4,027 text games: household tasks in the words of the original",
    data: "ALFWorld's files (proxmo env fetch alfworld, options.data or $ALFWORLD_DATA)",
    create: createAlfworldTaskSet,
    options: alfworldOptionsSchema,
    fetch: fetchAlfworld,
    defaults: () => ({ words: lengths(768, 10), messages: lengths(2048, 512) }),
    has: ({ data }) => hasGames(data ?? null),
    paths: { data: null, list: null },
  },
  {
    name: 'webshop',
    what: 'find and buy a product in a web shop, with pages, search and rewards of the original',
    data: "generated; or WebShop's files (options.data)",
    create: createWebshopTaskSet,
    options: webshopOptionsSchema,
    // Pages of the original's products are longer than those of the self-made catalogue.
    defaults: ({ data }) => ({
      words: data === undefined ? lengths(576, 28) : lengths(2304, 56),
      messages: lengths(4096, 512),
    }),
    has: ({ data }) => data === undefined || hasCatalogue(data),
    paths: { data: null },
  },
  {
    name: 'process',
    what: 'any environment in a program of its own, over standard input and output',
    data: 'the program (options.command)',
    create: createProcessTaskSet,
    options: processOptionsSchema,
    defaults: () => usualDefaults,
    starts: (options) => ({ kind: 'program', ...programOf(options) }),
    paths: { cwd: '.' },
  },
  {
    name: 'http',
    what: "any environment behind a server in the form of AgentGym's",
    data: 'the server (options.url, options.tasks)',
    create: createHttpTaskSet,
    options: httpOptionsSchema,
    defaults: () => usualDefaults,
    starts: (options) => ({ kind: 'address', url: addressOf(options) }),
  },
];

/**
 * Makes the task set of a name or of a module's path.
 * @throws {ProxmoError} `config` if there is no such environment or its options are not valid; `file` if a module or
 * data is missing
 */
export async function createNamedTaskSet(
  name: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<TaskSet> {
  const entry = environmentEntries.find((candidate) => candidate.name === name);
  if (entry) return entry.create(options);
  if (isModulePath(name)) return createModuleTaskSet(name, options);
  throw noSuchEnvironment(name);
}

/** @throws {ProxmoError} `config` if there is no environment of that name, `file` if there is no module of that path */
export async function checkEnvironmentName(name: string): Promise<void> {
  if (environmentEntries.some((candidate) => candidate.name === name)) return;
  if (!isModulePath(name)) throw noSuchEnvironment(name);
  await checkModuleFile(resolve(name));
}

function noSuchEnvironment(name: string): ProxmoError {
  const names = environmentEntries.map((candidate) => candidate.name);
  const meant = nearestKey(name, names);
  return new ProxmoError(
    'config',
    `There is no environment ${name}${meant === undefined ? '' : ` (did you mean ${meant}?)`}; choose one of ${names.join(', ')}, or give the path of a module, as ./my-env.mjs.`,
  );
}

/**
 * What an environment starts outside of this package when its task set is made; null if nothing.
 * @throws {ProxmoError} `config` if its options are wrong
 */
export async function startedBy({ name, options }: NamedEnvironment): Promise<Started | null> {
  const entry = environmentEntries.find((candidate) => candidate.name === name);
  if (entry) return entry.starts?.(options) ?? null;
  return isModulePath(name) ? startedModule(name) : null;
}

/** Settings of a run that fit the texts of an environment, for whatever its user does not set. */
export function environmentDefaults(
  name: string,
  options: Readonly<Record<string, unknown>>,
  form: TextForm,
): EnvironmentDefaults {
  const entry = environmentEntries.find((candidate) => candidate.name === name);
  return (entry ? entry.defaults(options) : usualDefaults)[form];
}

function lengths(prompt: number, reply: number): EnvironmentDefaults {
  return { prompt: { maxTokens: prompt }, sampling: { maxNewTokens: reply } };
}

/**
 * Name and options of an environment with every path made absolute, so that a run can be taken up from another folder.
 */
export function anchorEnvironment<E extends NamedEnvironment>(environment: E): E {
  const { name, options } = environment;
  const paths = environmentEntries.find((candidate) => candidate.name === name)?.paths ?? {};
  const anchored = Object.entries(paths).flatMap(([key, usual]) => {
    const path = options[key] ?? usual;
    return typeof path === 'string' ? [[key, resolve(path)] as const] : [];
  });
  return { ...environment, name: absoluteName(name), options: { ...options, ...Object.fromEntries(anchored) } };
}

/** Modules that settings name as estimator, policy loss or task sampler: found, and loaded where a run trains. */
import { resolve } from 'node:path';
import { absoluteName, checkModuleFile, isModulePath, loadFactory, startedModule } from '../../envs/module.node.ts';
import type { Started } from '../../envs/started.ts';
import { type OwnSettings, ownNames, renameOwn } from './settings.ts';

function modulesOf(settings: OwnSettings) {
  return ownNames(settings).filter(({ name }) => isModulePath(name));
}

/** The settings with the paths of modules made absolute, so that a run can be taken up from another folder. */
export function anchorOwn<S extends OwnSettings>(settings: S): S {
  return renameOwn(settings, absoluteName);
}

/** @throws {ProxmoError} `file` if a module is not there */
export async function checkOwnModules(settings: OwnSettings): Promise<void> {
  for (const { name, registry } of modulesOf(settings)) await checkModuleFile(resolve(name), registry.kind);
}

/** What would be loaded. @throws {ProxmoError} `file` if a module is not there */
export function startedByOwn(settings: OwnSettings): Promise<Started[]> {
  return Promise.all(modulesOf(settings).map(({ name, registry }) => startedModule(name, registry.kind)));
}

/**
 * Loads the modules that settings name, so that a `Trainer` finds what they make. `trainRun` does so itself.
 * @throws {ProxmoError} `file` if one is not there; `config` if it cannot be loaded or exports no function
 * @example
 * await loadOwnModules(config);
 * const trainer = new Trainer(engine, config, taskSet, source);
 */
export async function loadOwnModules(settings: OwnSettings): Promise<void> {
  for (const { name, registry } of modulesOf(settings)) await loadOwnModule(name, registry);
}

/** Loads one. @throws {ProxmoError} as `loadOwnModules` */
export async function loadOwnModule(
  path: string,
  registry: ReturnType<typeof ownNames>[number]['registry'],
): Promise<void> {
  const factory = await loadFactory(path, registry.kind, 'export default (options, toolkit) => …');
  registry.add(path, factory as never);
}

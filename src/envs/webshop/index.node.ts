/** The shop task set under Node, where its data files can be read from disk. */
import { readCatalogueFiles } from './data.node.ts';
import { createWebshopTaskSet as create, type WebshopOptions, type WebshopTaskSet } from './index.ts';

/**
 * The shop task set.
 *
 * @throws {ProxmoError} `config` on options that are unknown or out of range; `file` on data files that are missing or
 * damaged.
 */
export function createWebshopTaskSet(options: WebshopOptions = {}): Promise<WebshopTaskSet> {
  return create(options, readCatalogueFiles);
}

/**
 * WebShop's data files on disk: `items_shuffle_*.json`, `items_ins_v2_*.json` and, for human goals,
 * `items_human_ins*.json`, each as it is or compressed (`.gz`). Files that belong together end alike (`…_1000.json`).
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { errorMessage, ProxmoError } from '../../base/errors.ts';
import type { CatalogueFiles, DataFile } from './catalogue.ts';
import type { GoalKind } from './goals.ts';

/** How to get what is missing. */
const ADVICE =
  "set data to the folder that the setup script of WebShop's repository (princeton-nlp/WebShop) has put items_shuffle_*.json into, or leave it out for the self-made catalogue";

const PRODUCTS = /^items_shuffle(.*)\.json(?:\.gz)?$/;

/**
 * Reads the files of a catalogue.
 *
 * @param path their folder, or the products' file where a folder holds several catalogues
 * @throws {ProxmoError} `file` that names what is missing or cannot be read.
 */
export async function readCatalogueFiles(path: string, goals: GoalKind): Promise<CatalogueFiles> {
  const { folder, names, products } = await findProducts(path);
  const suffix = PRODUCTS.exec(products)![1]!;
  const find = (stem: string): string => {
    const fits = (ending: string): string | undefined =>
      names.find((name) => name === `${stem}${ending}.json` || name === `${stem}${ending}.json.gz`);
    const found = fits(suffix) ?? fits('');
    if (found !== undefined) return found;
    throw new ProxmoError(
      'file',
      `webshop: ${folder} has no ${stem}${suffix}.json; it belongs to ${products}, put it beside that file.`,
    );
  };
  return {
    products: await readJson(folder, products),
    attributes: await readJson(folder, find('items_ins_v2')),
    humanInstructions: goals === 'human' ? await readJson(folder, find('items_human_ins')) : null,
  };
}

/** Whether there is a catalogue in a folder, or as a file. */
export function hasCatalogue(path: string): boolean {
  if (!existsSync(path)) return false;
  const names = statSync(path).isDirectory() ? readdirSync(path) : [basename(path)];
  return names.some((name) => PRODUCTS.test(name));
}

async function findProducts(path: string): Promise<{ folder: string; names: readonly string[]; products: string }> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    (cause: unknown) => {
      throw new ProxmoError('file', `webshop: there is no ${path}; ${ADVICE}.`, { cause });
    },
  );
  const folder = isFolder ? path : dirname(path);
  const names = (await readdir(folder)).sort();
  const catalogues = names.filter((name) => PRODUCTS.test(name) && (isFolder || name === basename(path)));
  if (catalogues.length === 1) return { folder, names, products: catalogues[0]! };
  throw new ProxmoError(
    'file',
    catalogues.length === 0
      ? `webshop: ${path} holds no items_shuffle_*.json; ${ADVICE}.`
      : `webshop: ${path} holds several catalogues (${catalogues.join(', ')}); set data to the path of one of them.`,
  );
}

async function readJson(folder: string, name: string): Promise<DataFile> {
  try {
    const bytes = await readFile(join(folder, name));
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    return { name, json: JSON.parse(text) as unknown };
  } catch (cause) {
    const reason = errorMessage(cause);
    throw new ProxmoError(
      'file',
      `webshop: ${join(folder, name)} cannot be read (${reason}); put the original file in its place.`,
      {
        cause,
      },
    );
  }
}

/** Kernels of modules that the command line names: `--kernel ./mine.mjs`. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KernelSpec } from '../../../kernels/spec.ts';
import { exists } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';

const fields = {
  name: 'string',
  shader: 'object',
  bindings: 'object',
  params: 'object',
  variants: 'object',
  sizes: 'function',
  dispatch: 'function',
  cost: 'function',
  reference: 'function',
  cases: 'object',
  tolerance: 'object',
} as const satisfies Partial<Record<keyof KernelSpec, string>>;

/**
 * All kernels that a module exports.
 * @throws {ProxmoError} `file` if there is no such file, `config` if it cannot be loaded or exports none
 */
export async function kernelsOfModule(path: string): Promise<KernelSpec[]> {
  const file = resolve(path);
  if (!(await exists(file)))
    throw new ProxmoError('file', `There is no module ${file}; give its path from the working directory.`);
  const loaded = await import(pathToFileURL(file).href).catch((cause: unknown) => {
    throw new ProxmoError('config', `${file} cannot be loaded: ${String(cause)}`, { cause });
  });
  const found = Object.values(loaded as object).filter(isKernel);
  if (found.length > 0) return found;
  throw new ProxmoError(
    'config',
    `${file} exports no kernel: export what defineKernel of proxmo/kernels makes, with ${Object.keys(fields).join(', ')}.`,
  );
}

function isKernel(value: unknown): value is KernelSpec {
  if (typeof value !== 'object' || value === null) return false;
  const known = value as Readonly<Record<string, unknown>>;
  return Object.entries(fields).every(([field, type]) => typeof known[field] === type && known[field] !== null);
}

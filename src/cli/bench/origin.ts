/** Where figures of a bench come from: without that, nobody can compare them with others. */
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { GpuContext } from '../../gpu/context.ts';

export interface BenchOrigin {
  /** When it was measured, in ISO 8601. */
  readonly date: string;
  readonly proxmo: string;
  /** Of the checkout, with `-dirty` where files differ from it; null outside of one. */
  readonly commit: string | null;
  readonly driver: string;
  readonly node: string;
}

/** @param version of the package */
export async function originOf({ adapter }: Pick<GpuContext, 'adapter'>, version: string): Promise<BenchOrigin> {
  return {
    date: new Date().toISOString(),
    proxmo: version,
    commit: await commitOf(dirname(fileURLToPath(import.meta.url))),
    driver: adapter.driver,
    node: process.version,
  };
}

/** The commit of the checkout that a folder belongs to. Folders of installed packages belong to another one's. */
async function commitOf(folder: string): Promise<string | null> {
  if (/node_modules[/\\](?!\.cache)/.test(folder)) return null;
  try {
    const { stdout } = await promisify(execFile)('git', ['describe', '--always', '--dirty', '--abbrev=12'], {
      cwd: folder,
    });
    return stdout.trim() || null;
  } catch {
    return null;
  }
}

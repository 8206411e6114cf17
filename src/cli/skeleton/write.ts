/** Skeletons: files of a user's own that work as they are, each with its test. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { refuseExisting, writeFileAtomic } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { systemReason } from '../../base/systemErrors.node.ts';
import { standardOutput } from '../output.ts';

/** What a skeleton is made of. */
export interface Skeleton {
  /** What it is, as `environment`. */
  readonly kind: string;
  /** What its name must look like, and that in words. */
  readonly pattern: RegExp;
  readonly rule: string;
  /** Contents by the ending of the file's name behind the skeleton's, as `.mjs`. */
  readonly files: (name: string) => Readonly<Record<string, string>>;
  /** What to do with it, a command each, where `path` is the first file's. */
  readonly next: (path: string, test: string) => readonly string[];
}

/**
 * Writes the files of a skeleton into a folder, or none of them.
 * @throws {ProxmoError} `usage` if the name is none that its code can have; `file` if there is such a file already, or
 * the folder cannot be written to
 */
export async function writeSkeleton(skeleton: Skeleton, name: string, folder: string): Promise<void> {
  const { kind, pattern, rule, files, next } = skeleton;
  if (!pattern.test(name))
    throw new ProxmoError('usage', `${JSON.stringify(name)} cannot be the name of a new ${kind}; use ${rule}.`);
  const entries = Object.entries(files(name)).map(
    ([ending, text]) => [join(folder, `${name}${ending}`), text] as const,
  );
  for (const [path] of entries) await refuseExisting(path, kind);
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new ProxmoError(
      'file',
      `${folder} cannot be made: ${systemReason(cause)}; give a folder that can be written to.`,
      {
        cause,
      },
    );
  });
  for (const [path, text] of entries) await writeFileAtomic(path, [text]);
  const [first, test] = entries.map(([path]) => path);
  standardOutput.print(entries.map(([path]) => `wrote ${path}`).join('\n'));
  standardOutput.print(
    `\nNext:\n${next(first!, test!)
      .map((line) => `  ${line}`)
      .join('\n')}`,
  );
}

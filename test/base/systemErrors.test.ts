import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeFileAtomic } from '../../src/base/atomicFile.node.ts';
import { ProxmoError } from '../../src/base/errors.ts';
import { aboutPath, isSystemError, systemReason } from '../../src/base/systemErrors.node.ts';

it('names what the system refuses in words', () => {
  expect(systemReason(Object.assign(new Error('x'), { code: 'EACCES' }))).toBe('permission is denied (EACCES)');
  expect(systemReason(Object.assign(new Error('x'), { code: 'EODD' }))).toBe('EODD');
  expect(systemReason(new Error('out of cheese'))).toBe('out of cheese');
});

it('names the path that a person knows, where the system names a temporary one or none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'proxmo-errors-'));
  const path = join(folder, 'absent', 'file');
  const error = await writeFileAtomic(path, ['x']).catch((reason: unknown) => reason);
  expect(isSystemError(error)).toBe(true);
  expect(error).toMatchObject({ code: 'ENOENT', path });
  const own = new ProxmoError('data', 'x');
  expect(aboutPath(own, path)).toBe(own);
  expect(own).not.toHaveProperty('path');
  await rm(folder, { recursive: true });
});

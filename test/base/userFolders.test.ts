/** Where each system keeps a user's folders. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { userFolder } from '../../src/base/userFolders.node.ts';

const home = () => join('/', 'home', 'me');
const noHome = () => {
  throw new Error('there is no home folder');
};

it.each([
  ['linux', {}, '/home/me/.cache/proxmo', '/home/me/.local/state/proxmo'],
  [
    'linux',
    { XDG_CACHE_HOME: 'relative', XDG_STATE_HOME: '' },
    '/home/me/.cache/proxmo',
    '/home/me/.local/state/proxmo',
  ],
  ['freebsd', { XDG_CACHE_HOME: '/c', XDG_STATE_HOME: '/s' }, '/c/proxmo', '/s/proxmo'],
  ['darwin', {}, '/home/me/Library/Caches/proxmo', '/home/me/Library/Application Support/proxmo'],
  ['win32', { LOCALAPPDATA: '/local' }, '/local/proxmo/Cache', '/local/proxmo/State'],
  ['win32', {}, '/home/me/AppData/Local/proxmo/Cache', '/home/me/AppData/Local/proxmo/State'],
])('on %s with %j', (platform, env, cache, state) => {
  expect(userFolder('cache', platform, env, home)).toBe(join(cache));
  expect(userFolder('state', platform, env, home)).toBe(join(state));
});

it('has fetched data where each system keeps them', () => {
  expect(userFolder('data', 'linux', {}, home)).toBe(join('/home/me/.local/share/proxmo'));
  expect(userFolder('data', 'linux', { XDG_DATA_HOME: '/d' }, home)).toBe(join('/d/proxmo'));
  expect(userFolder('data', 'darwin', {}, home)).toBe(join('/home/me/Library/Application Support/proxmo'));
  expect(userFolder('data', 'win32', { LOCALAPPDATA: '/local' }, home)).toBe(join('/local/proxmo/Data'));
});

it('needs no home folder where the environment names one', () => {
  expect(userFolder('cache', 'linux', { XDG_CACHE_HOME: '/c' }, noHome)).toBe(join('/c/proxmo'));
  expect(() => userFolder('cache', 'linux', {}, noHome)).toThrow('there is no home folder');
});

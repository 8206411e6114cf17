/** Which environments a worker has the data of. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { environmentsWith } from '../../src/fleet/environment.node.ts';

const root = mkdtempSync(join(tmpdir(), 'proxmo-data-'));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(root, { recursive: true, force: true }));

const folder = () => mkdtempSync(join(root, 'data-'));

it('has those that make their data themselves, and ALFWorld where its games are', () => {
  const games = folder();
  mkdirSync(join(games, 'json_2.1.1'));
  vi.stubEnv('ALFWORLD_DATA', games);
  expect(environmentsWith({})).toEqual(['household', 'alfworld', 'webshop']);
});

it('has by --data the one whose data that is, and those that need none', () => {
  const [games, shop] = [folder(), folder()];
  mkdirSync(join(games, 'valid_seen'));
  writeFileSync(join(shop, 'items_shuffle_1000.json'), '[]');
  expect(environmentsWith({ data: games })).toEqual(['household', 'alfworld']);
  expect(environmentsWith({ data: shop })).toEqual(['household', 'webshop']);
  expect(environmentsWith({ data: join(shop, 'items_shuffle_1000.json') })).toEqual(['household', 'webshop']);
  expect(environmentsWith({ data: join(shop, 'nothing') })).toEqual(['household']);
});

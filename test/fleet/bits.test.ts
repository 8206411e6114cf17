import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fleetConfig, startWorker, trainAlone, trainWithFleet } from '../support/fleet.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { essenceOf } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a fleet', needsNatsServer, () => {
  it('trains to the bits of one process, with one worker, and with two that compute gradients, and get what changed in weights', {
    timeout: 300_000,
  }, async () => {
    const config = fleetConfig();
    const alone = join(folder, 'alone');
    await trainAlone(alone, config);
    const expected = await essenceOf(alone);

    await using server = await NatsServer.start();
    for (const [count, gradients] of [
      [1, false],
      [2, true],
    ] as const) {
      const workers = await Promise.all(Array.from({ length: count }, (_, index) => startWorker(server, `w${index}`)));
      const dir = join(folder, `with-${count}`);
      const { workers: summary } = await trainWithFleet(server, dir, fleetConfig({ gradients }));
      const tallies = await Promise.all(workers.map(({ done }) => done));
      expect(await essenceOf(dir)).toEqual(expected);
      // Two iterations of four pieces, and two evaluations of two.
      const episodes = 12;
      const pieces = tallies.reduce((sum, tally) => sum + tally.pieces, 0);
      // Two optimiser steps in each iteration, of several micro-batches.
      if (gradients) expect(pieces).toBeGreaterThan(episodes + 4);
      else expect(pieces).toBe(episodes);
      expect(summary).toHaveLength(count);
    }
  });
});

/** Pretrained models in a fleet: adapters travel, and the model itself never does. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { openModelAt } from '../../src/fleet/model.node.ts';
import { digestOfModel } from '../../src/models/pretrained.node.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { chatModel } from '../support/chatModel.ts';
import { startWorker, tinyFleetConfig, trainAlone, trainWithFleet } from '../support/fleet.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { essenceOf, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a pretrained model', needsNatsServer, () => {
  it('is trained by adapters to the bits of one process, and stays where it is', async () => {
    const model = await chatModel(join(folder, 'model'));
    const base = { name: 'model', sha256: await digestOfModel(model) };
    const tiny = tinyFleetConfig(writeTinyWorld(folder), 1);
    const config = trainConfigSchema.parse({
      ...tiny,
      model,
      lora: { rank: 2, targets: ['q_proj', 'v_proj'] },
      sampling: { ...tiny.sampling, maxNewTokens: 8 },
      fleet: { gradients: true, gradientAudit: 1 },
    });
    await trainAlone(join(folder, 'alone'), config);

    await using server = await NatsServer.start();
    const watcher = await connect({ servers: server.address });
    let largest = 0;
    watcher.subscribe('>', {
      callback: (_, { data }) => {
        largest = Math.max(largest, data.length);
      },
    });
    // Its own copy lies elsewhere, and is told from others by its files.
    const copy = await chatModel(join(folder, 'copy'));
    const other = await chatModel(join(folder, 'other'), { 'generation_config.json': '{"temperature": 0.5}' });
    const without = await startWorker(server, 'without', { openModel: openModelAt(null) });
    const wrong = await startWorker(server, 'wrong', { openModel: openModelAt(other) });
    const sound = await startWorker(server, 'sound', { openModel: openModelAt(copy) });
    const { workers } = await trainWithFleet(server, join(folder, 'fleet'), config, { base: async () => base });
    await expect(without.done).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('The run trains the pretrained model model, which is not sent'),
    });
    await expect(wrong.done).rejects.toMatchObject({
      code: 'fleet',
      message: expect.stringContaining('other is not the model model that the run trains'),
    });
    expect((await sound.done).pieces).toBeGreaterThan(8);
    await watcher.close();
    expect(workers).toHaveLength(1);
    expect(largest).toBeLessThan(statSync(join(model, 'model.safetensors')).size / 2);
    expect(await essenceOf(join(folder, 'fleet'))).toEqual(await essenceOf(join(folder, 'alone')));
  });
});

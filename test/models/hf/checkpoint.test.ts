/** Model folders: one file or shards, and what is refused. */
import { cpSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../../src/base/safetensors.node.ts';
import { HfCheckpoint } from '../../../src/models/hf/checkpoint.node.ts';
import { hfFixture, tensorsOf } from '../../support/hfFixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let copies = 0;
/** A copy of the sharded fixture, to be damaged. */
function shardedCopy(): string {
  const dir = join(folder, `${copies++}`);
  cpSync(hfFixture('llama'), dir, { recursive: true });
  return dir;
}

const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const indexOf = (dir: string) => join(dir, 'model.safetensors.index.json');
function changeIndex(dir: string, change: (map: Record<string, string>) => void): void {
  const index = JSON.parse(readFileSync(indexOf(dir), 'utf8'));
  change(index.weight_map);
  writeFileSync(indexOf(dir), JSON.stringify(index));
}

describe('a folder', () => {
  it('of shards has the tensors of all', async () => {
    const checkpoint = await HfCheckpoint.open(hfFixture('llama'));
    expect(checkpoint.model.family).toBe('llama');
    expect(checkpoint.names()).toHaveLength(35);
    expect(checkpoint.shape('model.layers.1.self_attn.k_proj.weight')).toEqual([16, 16]);
    expect(checkpoint.entry('model.norm.weight').dtype).toBe('BF16');
    expect(await checkpoint.read('model.norm.weight')).toHaveLength(16);
    expect(() => checkpoint.shape('absent')).toThrow('has no tensor "absent"; it holds 35 others.');
    await checkpoint.close();
  });

  it('of one file has the same tensors', async () => {
    const dir = shardedCopy();
    const tensors = await tensorsOf(dir);
    for (const file of [...shards.map((shard) => join(dir, shard)), indexOf(dir)]) unlinkSync(file);
    await writeSafetensors(
      join(dir, 'model.safetensors'),
      [...tensors].map(([name, { shape, data }]) => ({ name, shape, data, dtype: 'F32' })),
    );
    expect(await tensorsOf(dir)).toEqual(tensors);
  });

  it('of one file beside the index and shards of an older save has the tensors of the one file', async () => {
    const dir = shardedCopy();
    const tensors = await tensorsOf(dir);
    for (const { data } of tensors.values()) data.fill(0.5);
    await writeSafetensors(
      join(dir, 'model.safetensors'),
      [...tensors].map(([name, { shape, data }]) => ({ name, shape, data, dtype: 'F32' })),
    );
    expect(await tensorsOf(dir)).toEqual(tensors);
  });
});

describe('refused', () => {
  it.each([
    [
      'without a configuration',
      (dir: string) => unlinkSync(join(dir, 'config.json')),
      'config.json does not exist; give the folder',
    ],
    ['with a damaged one', (dir: string) => writeFileSync(join(dir, 'config.json'), '{'), 'config.json is not JSON'],
    ['without weights', (dir: string) => unlinkSync(indexOf(dir)), 'model.safetensors does not exist'],
    ['without a shard', (dir: string) => unlinkSync(join(dir, shards[1])), `${shards[1]} does not exist`],
    [
      'with a tensor in the wrong shard',
      (dir: string) => changeIndex(dir, (map) => Object.assign(map, { 'model.norm.weight': shards[0] })),
      `has the tensor "model.norm.weight" in ${shards[0]}, which does not hold it`,
    ],
    [
      'with a tensor that the index leaves out',
      (dir: string) => changeIndex(dir, (map) => delete map['model.norm.weight']),
      'holds the tensor "model.norm.weight", which the index does not list there',
    ],
    [
      'with a shard elsewhere',
      (dir: string) => changeIndex(dir, (map) => Object.assign(map, { 'model.norm.weight': '../x.safetensors' })),
      '../x.safetensors',
    ],
  ] as const)('%s', async (_, damage, message) => {
    const dir = shardedCopy();
    damage(dir);
    await expect(HfCheckpoint.open(dir)).rejects.toThrow(message);
  });
});

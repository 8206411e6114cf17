/**
 * A run of the playground as the folder of a run, in an archive: `tar xzf` it, then `proxmo view`, `why`, `compare`.
 */
import { createTarGzip } from 'nanotar';
import { iterationName } from '../../../base/iterationName.ts';
import type { RunInfo } from '../../protocol.ts';
import type { KeptRun } from './training.ts';

/** Files of the folder `name`, as `src/runs` lays them out. The configuration is JSON, which is YAML too. */
export async function archiveOf(name: string, info: RunInfo, { config, records, rollouts }: KeptRun): Promise<Blob> {
  const manifest = {
    format: 'proxmo-run',
    formatVersion: 1,
    seed: info.seed,
    version: 'playground',
    adapter: { name: info.adapter ?? '' },
    started: info.started,
    resumes: [],
  };
  const files = [...rollouts].flatMap(([iteration, { index, members }]) => {
    const path = `${name}/rollouts/${iterationName(iteration)}`;
    return [
      { name: `${path}.jsonl.gz`, data: joined(members) },
      { name: `${path}.index.json`, data: `${index}\n` },
    ];
  });
  const archive = await createTarGzip([
    { name: `${name}/run.json`, data: `${JSON.stringify(manifest, null, 2)}\n` },
    { name: `${name}/config.yaml`, data: `${JSON.stringify(config, null, 2)}\n` },
    { name: `${name}/metrics.jsonl`, data: records.map((record) => `${JSON.stringify(record)}\n`).join('') },
    { name: `${name}/run.log`, data: `${new Date().toISOString()} stopped: exported from the playground\n` },
    ...files,
  ]);
  return new Blob([archive as Uint8Array<ArrayBuffer>], { type: 'application/gzip' });
}

function joined(members: readonly Uint8Array<ArrayBuffer>[]): Uint8Array {
  const all = new Uint8Array(members.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const member of members) {
    all.set(member, offset);
    offset += member.length;
  }
  return all;
}

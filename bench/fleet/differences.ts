/**
 * What `fleet.differences` saves: bytes of what changed in the weights between the last two checkpoints of a run, and
 * of all of them compressed. Besides, seconds of the processor at both ends:
 * `node scripts/run.mjs bench/fleet/differences.ts RUN…`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { iterationName } from '../../src/base/iterationName.ts';
import { parseSafetensors } from '../../src/base/safetensors.ts';
import { formatTable } from '../../src/cli/table.ts';
import { packedDifference, unpackedDifference } from '../../src/fleet/codec.ts';
import { listCheckpoints } from '../../src/runs/checkpoint.ts';

const rows = [['run', 'apart', 'bytes', 'whole', 'changes', 'packing', 'unpacking']];
// One after another: seconds are those of the whole process.
for (const run of process.argv.slice(2)) rows.push(await rowOf(run));
console.log(formatTable(rows));

async function rowOf(run: string): Promise<string[]> {
  const folder = join(run, 'checkpoints');
  const [first, second] = (await listCheckpoints(folder)).slice(-2);
  if (first === undefined || second === undefined) throw new Error(`${run} has no two checkpoints`);
  const [before, after] = [first, second].map((iteration) =>
    weightsIn(join(folder, iterationName(iteration), 'weights.safetensors')),
  ) as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
  const packing = await timed(() => packedDifference(after, before));
  const unpacking = await timed(() => unpackedDifference(packing.result, before));
  if (!Buffer.from(unpacking.result).equals(after)) throw new Error('other weights came out than went in');
  const share = (bytes: Uint8Array) => `${((100 * bytes.length) / after.length).toFixed(1)} %`;
  const changed = share(packing.result);
  const seconds = [packing, unpacking].map((each) => `${(1e3 * each.seconds).toFixed(0)} ms`);
  return [run, String(second - first), String(after.length), share(deflateRawSync(after)), changed, ...seconds];
}

/** The numbers of a file of safetensors, one tensor after another. */
function weightsIn(path: string): Uint8Array<ArrayBuffer> {
  const { tensors } = parseSafetensors(readFileSync(path), path);
  return Uint8Array.from(Buffer.concat(tensors.map(({ data }) => new Uint8Array(data.buffer))));
}

/** Seconds of the processor, all threads together. */
async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: number }> {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, seconds: (user + system) / 1e6 };
}

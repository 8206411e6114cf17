import { connect } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/sha256.ts';
import { RunStore, type Weights } from '../../src/fleet/server.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';

async function weightsOf(values: readonly number[]): Promise<Weights> {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return { bytes, hash: await sha256(bytes) };
}

describe('weights on a server', needsNatsServer, () => {
  it('come as what changed to whom has those before, and whole to others, also where the change is damaged', async () => {
    await using server = await NatsServer.start();
    const connection = await connect({ servers: server.address });
    const asked: string[] = [];
    const store = new RunStore(connection, 'test');
    await store.create();
    const [first, second] = [await weightsOf([1, 2, 3]), await weightsOf([1, 2.5, 3])];
    await store.putWeights(first, null);
    await store.putWeights(second, first);
    const watcher = await connect({ servers: server.address });
    watcher.subscribe('$JS.API.DIRECT.GET.OBJ_proxmo_test_policy.$O.proxmo_test_policy.M.*', {
      callback: (_, { subject }) => {
        asked.push(Buffer.from(subject.split('.').at(-1)!, 'base64url').toString());
      },
    });
    watcher.subscribe('$JS.API.STREAM.MSG.GET.OBJ_proxmo_test_policy', {
      callback: (_, message) => {
        const last = message.json<{ last_by_subj: string }>().last_by_subj.split('.').at(-1)!;
        asked.push(Buffer.from(last, 'base64url').toString());
      },
    });
    await watcher.flush();
    const change = store.names.changeOf(second.hash, first.hash);
    const read = async (before: Weights | null) => {
      asked.length = 0;
      const bytes = await store.getWeights(second.hash, before);
      // What was sent before its answer has come by then.
      await watcher.flush();
      return { isSame: bytes !== null && (await sha256(bytes)) === second.hash, asked: [...asked] };
    };
    expect(await read(first)).toEqual({ isSame: true, asked: [change] });
    expect(await read(null)).toEqual({ isSame: true, asked: [second.hash] });
    // Of other weights it leads to others.
    const other = { ...(await weightsOf([4, 5, 6])), hash: first.hash };
    expect(await read(other)).toEqual({ isSame: true, asked: [change, second.hash] });
    // What changed goes with what it leads to.
    await store.dropWeights((hash) => hash === second.hash);
    expect((await read(first)).isSame).toBe(false);
    await Promise.all([watcher.close(), connection.close()]);
  });
});

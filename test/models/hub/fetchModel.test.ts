/** Fetching from the hub, of which a server on the loopback address takes the place. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { locateModel } from '../../../src/models/hub/cache.node.ts';
import { fetchModel } from '../../../src/models/hub/fetchModel.node.ts';
import { isPlainPath, parseHubName, requireHubName } from '../../../src/models/hub/names.ts';
import { commit, gitHashOf, type ServedModel, serveHub, sha256Of } from '../../support/hub.ts';

/** Bytes that a full disk has left for each file; none is full by default. */
const disk = vi.hoisted(() => ({ left: Number.POSITIVE_INFINITY, free: 1e12 }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  const full = () =>
    Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
  return {
    ...original,
    statfs: async () => ({ bavail: disk.free, bsize: 1, blocks: 1e12 }),
    open: async (...args: Parameters<typeof original.open>) => {
      const handle = await original.open(...args);
      const write = handle.writeFile.bind(handle);
      handle.writeFile = async (data, ...rest) => {
        const size = (data as Uint8Array).byteLength;
        if (size > disk.left) {
          await write((data as Uint8Array).subarray(0, disk.left));
          disk.left = 0;
          throw full();
        }
        disk.left -= size;
        return write(data, ...rest);
      };
      return handle;
    },
  };
});

let folder: string;
let repository: string;
const weights = Buffer.from(Uint8Array.from({ length: 50_000 }, (_, i) => (i * i + (i >> 3)) & 0xff));
const id = 'tiny/Model-1';
const plain: ServedModel = {
  id,
  files: {
    'README.md': Buffer.from('not needed'),
    'config.json': Buffer.from('{"model_type": "llama"}'),
    'tokenizer.json': Buffer.from('{}'),
    'model.safetensors': weights,
    'pytorch_model.bin': weights,
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'proxmo-hub-'));
  repository = join(folder, 'hub', 'models--tiny--Model-1');
  vi.stubEnv('HF_HOME', folder);
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_HUB_OFFLINE'])
    vi.stubEnv(name, '');
  disk.left = Number.POSITIVE_INFINITY;
  disk.free = 1e12;
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

async function serve(model: ServedModel) {
  const hub = await serveHub(model);
  vi.stubEnv('HF_ENDPOINT', `${hub.endpoint}/`);
  return hub;
}

const get = (wanted: readonly string[] = [], name = requireHubName(id)) => fetchModel(name, wanted);
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: Error) => error,
  );
const snapshot = () => join(repository, 'snapshots', commit);

describe('a model', () => {
  it('comes into the layout of the cache of the hub, and is found by its name', async () => {
    const { requests } = await serve(plain);
    const told: number[] = [];
    const fetched = await fetchModel(requireHubName(id), [], ({ done, total }) => told.push(done / total));
    expect(fetched).toMatchObject({ id, revision: 'main', commit, folder: snapshot() });
    expect(readdirSync(snapshot()).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(readdirSync(join(repository, 'blobs')).sort()).toEqual(
      [gitHashOf(plain.files['config.json']!), gitHashOf(plain.files['tokenizer.json']!), sha256Of(weights)].sort(),
    );
    expect(readFileSync(join(repository, 'refs', 'main'), 'utf8')).toBe(commit);
    expect(readlinkSync(join(snapshot(), 'model.safetensors'))).toBe(`../../blobs/${sha256Of(weights)}`);
    expect(readFileSync(join(snapshot(), 'model.safetensors')).equals(weights)).toBe(true);
    expect(readdirSync(repository).sort()).toEqual(['blobs', 'refs', 'snapshots']);
    expect(await locateModel(id)).toBe(snapshot());
    expect(await locateModel(`${id}@${commit}`)).toBe(snapshot());
    expect(told.at(-1)).toBe(1);
    const before = requests.length;
    await get();
    expect(requests.slice(before).every(({ url }) => url.startsWith('/api/'))).toBe(true);
  });

  it('is that of a revision, which is kept apart', async () => {
    await serve(plain);
    await get([], requireHubName(id, 'v1'));
    expect(await locateModel(`${id}@v1`)).toBe(snapshot());
    await expect(locateModel(id)).rejects.toThrow(`fetch it from the hub: proxmo model fetch ${id}`);
    await expect(get([], requireHubName(id, 'v2'))).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining(
        `has no model ${id} at v2, or does not show it; check the name, or set HF_TOKEN`,
      ),
    });
  });

  it('is taken in shards, and as a GGUF file in parts', async () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const index = 'model.safetensors.index.json';
    const files = Object.fromEntries(['config.json', index, ...shards].map((name) => [name, Buffer.from(name)]));
    await serve({ id, files: { ...files, 'consolidated.safetensors': weights, 'x.gguf': weights } });
    expect((await get()).files.map(({ path }) => path)).toEqual(['config.json', index, ...shards]);

    const parts = ['big/m-Q4-00001-of-00002.gguf', 'big/m-Q4-00002-of-00002.gguf'];
    const other = { id: 'tiny/gguf', files: Object.fromEntries(parts.map((name) => [name, Buffer.from(name)])) };
    await serve({ ...other, files: { ...other.files, 'config.json': Buffer.from('{}') } });
    await fetchModel(requireHubName('tiny/gguf'));
    expect(await locateModel('tiny/gguf')).toMatch(/snapshots\/[0-9a-f]{40}\/big\/m-Q4-00001-of-00002\.gguf$/);
  });

  it('in several GGUF files has to be chosen from', async () => {
    await serve({ id, files: { 'm-Q4.gguf': weights, 'm-Q8.gguf': weights.subarray(1), 'config.json': weights } });
    await expect(get()).rejects.toMatchObject({
      code: 'usage',
      message: `${id} has several GGUF files; choose one with --file: m-Q4*.gguf, m-Q8*.gguf.`,
    });
    await expect(get(['m-Q5.gguf'])).rejects.toThrow(
      `${id} has no file m-Q5.gguf; it has m-Q4.gguf, m-Q8.gguf, config.json.`,
    );
    expect((await get(['*Q4*'])).files).toMatchObject([{ path: 'm-Q4.gguf' }]);
    expect(await locateModel(id)).toBe(join(snapshot(), 'm-Q4.gguf'));
    await get(['m-Q8.gguf']);
    await expect(locateModel(id)).rejects.toThrow(/has 2 GGUF files in the hub's cache; name one of them, as/);
    expect(await locateModel(`${id}/m-Q8.gguf`)).toBe(join(snapshot(), 'm-Q8.gguf'));
    await expect(locateModel(`${id}/m-Q2.gguf`)).rejects.toThrow(
      `has no m-Q2.gguf of ${id}; fetch it: proxmo model fetch ${id} --file m-Q2.gguf`,
    );
  });

  it('without weights that can be read is refused', async () => {
    await serve({ id, files: { 'pytorch_model.bin': weights } });
    await expect(get()).rejects.toThrow('has no weights as safetensors or GGUF, but pytorch_model.bin; use another');
    expect(existsSync(repository)).toBe(false);
  });
});

describe('the network', () => {
  it('says what to do about a name that does not exist', async () => {
    await serve(plain);
    await expect(get([], requireHubName('tiny/absent'))).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(
        /^http:\S+ has no model tiny\/absent at main, or does not show it; check the name/,
      ),
    });
    expect(existsSync(join(folder, 'hub'))).toBe(false);
  });

  it('may cut a download at any byte: the next one goes on from there', async () => {
    const content = Buffer.from('a file of some thirty bytes...');
    for (let cut = 0; cut < content.length; cut++) {
      rmSync(join(folder, 'hub'), { recursive: true, force: true });
      const hub = await serve({ id, files: { 'model.gguf': content } });
      const name = sha256Of(content);
      await get();
      // As a process leaves things that was killed.
      const url = `${hub.endpoint}/${id}/resolve/${commit}/model.gguf`;
      rmSync(repository, { recursive: true });
      mkdirSync(join(repository, 'blobs'), { recursive: true });
      writeFileSync(join(repository, 'blobs', `${name}.part`), content.subarray(0, cut));
      writeFileSync(join(repository, 'blobs', `${name}.part.json`), JSON.stringify({ url, validator: null }));
      hub.requests.length = 0;
      await get();
      expect(hub.requests.at(-1)!.range).toBe(cut === 0 ? undefined : `bytes=${cut}-`);
      expect(readFileSync(join(snapshot(), 'model.gguf')).equals(content)).toBe(true);
      expect(readdirSync(join(repository, 'blobs'))).toEqual([name]);
    }
  });

  it('may break off while it sends', async () => {
    const { requests } = await serve({ ...plain, breakAfter: 30_000 });
    await get();
    expect(readFileSync(join(snapshot(), 'model.safetensors')).equals(weights)).toBe(true);
    expect(requests.filter(({ range }) => range !== undefined)).toMatchObject([{ range: 'bytes=30000-' }]);
  });

  it.each([
    ['model.safetensors', /its SHA-256 is [0-9a-f]{64} instead of [0-9a-f]{64}/],
    ['config.json', /its hash by Git's rule is [0-9a-f]{40} instead of [0-9a-f]{40}/],
  ])('that sends another %s is not believed', async (name, message) => {
    const wrong = Buffer.from(plain.files[name]!);
    wrong[3] = wrong[3]! ^ 1;
    await serve({ ...plain, wrong: { [name]: wrong } });
    await expect(get()).rejects.toMatchObject({ code: 'network', message: expect.stringMatching(message) });
    expect(existsSync(snapshot())).toBe(false);
    expect(readdirSync(join(repository, 'blobs')).filter((each) => each.includes('.part'))).toEqual([]);
    await expect(locateModel(id)).rejects.toThrow(`proxmo model fetch ${id}`);
  });

  it('is not asked where the environment forbids it', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await expect(get()).rejects.toThrow('HF_HUB_OFFLINE forbids to ask the hub');
  });

  it('that is not there is told', async () => {
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:1');
    await expect(get()).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(/^http:\/\/127\.0\.0\.1:1 cannot be reached \(.+\); check the network/),
    });
  });
});

describe('names in the listing', () => {
  const hostile = [
    '../../../escape',
    '/etc/passwd',
    'a/../../b',
    'C:\\x',
    'a\\b',
    'a//b',
    '.',
    'nul.txt',
    'x\u001b[2J',
    'a:b',
    '',
  ];

  it.each(hostile)('%j is refused, and nothing is fetched', async (path) => {
    const { requests } = await serve({ ...plain, list: (entries) => [...entries, { ...entries[0], path }] });
    await expect(get(['*'])).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining('leads elsewhere'),
    });
    expect(requests.every(({ url }) => url.startsWith('/api/'))).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each<[string, NonNullable<ServedModel['list']>]>([
    ['a hash that is a path', (entries) => entries.map((entry) => ({ ...entry, oid: '../../../../x' }))],
    [
      'a large file with such a hash',
      (entries) => entries.map((entry) => ({ ...entry, lfs: { oid: '../x', size: 1 } })),
    ],
    ['no sizes', (entries) => entries.map(({ size, ...entry }) => entry)],
  ])('with %s are refused', async (_, list) => {
    await serve({ ...plain, list });
    await expect(get()).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining('nothing is fetched'),
    });
  });

  it('of models, revisions and files are no paths', () => {
    for (const text of [
      'tiny',
      '../x',
      'a/..',
      'a/b/c',
      'a//b',
      '/a/b',
      'a/b@../x',
      'a/b@x/../y',
      'a/b/../c.gguf',
      'a/b--c',
    ])
      expect([text, parseHubName(text)]).toEqual([text, null]);
    expect(parseHubName('a/b@refs/pr/1/x/y.gguf')).toMatchObject({
      id: 'a/b',
      file: expect.stringContaining('y.gguf'),
    });
    expect(() => requireHubName('a/b', '../../x')).toThrow('../../x is not a revision');
    expect(isPlainPath('a/b-c_1.json')).toBe(true);
  });
});

describe('the disk', () => {
  it('that fills is told, what has arrived is kept, and the same command goes on', async () => {
    const { requests } = await serve(plain);
    disk.left = 20_000;
    await expect(get()).rejects.toMatchObject({
      code: 'file',
      message: expect.stringMatching(
        /cannot be written: no space is left there \(ENOSPC\); what has arrived is kept\.$/,
      ),
    });
    expect(existsSync(snapshot())).toBe(false);
    disk.left = Number.POSITIVE_INFINITY;
    await get();
    expect(requests.filter(({ range }) => range !== undefined)).toHaveLength(1);
    expect(readFileSync(join(snapshot(), 'model.safetensors')).equals(weights)).toBe(true);
  });

  it('without room is told before anything is asked for', async () => {
    const { requests } = await serve(plain);
    disk.free = 10_000;
    await expect(get()).rejects.toMatchObject({
      code: 'file',
      message: expect.stringMatching(
        /needs 0 MiB, and 0 MiB are free there; make room|needs [\d.]+ MiB, and [\d.]+ MiB/,
      ),
    });
    expect(requests.some(({ url }) => url.includes('/resolve/'))).toBe(false);
  });
});

describe('a token', () => {
  const token = 'hf_secretsecret';

  it('goes to the hub, and nowhere else', async () => {
    const store = await serveHub(plain);
    const { requests } = await serve({ ...plain, store: store.endpoint });
    vi.stubEnv('HF_TOKEN', token);
    await get();
    expect(requests.every(({ authorization }) => authorization === `Bearer ${token}`)).toBe(true);
    expect(store.requests.length).toBe(3);
    expect(store.requests.some(({ authorization }) => authorization !== undefined)).toBe(false);
  });

  it('is in no message and no file, whatever the hub answers', async () => {
    vi.stubEnv('HF_TOKEN', token);
    for (const status of [401, 403, 500]) {
      await serve({
        ...plain,
        instead: (request, response) => {
          const error = JSON.stringify({ error: `no: ${request.headers.authorization}` });
          response.writeHead(status, { 'content-type': 'application/json' }).end(error);
          return true;
        },
      });
      const failure = await failureOf(get());
      expect(failure?.message).not.toContain('secret');
      expect(failure).toMatchObject({ code: 'network' });
    }
    await serve({ ...plain, breakAfter: 20_000, instead: (request) => request.url!.includes('never') });
    await get().catch(() => null);
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
      if (lstatSync(join(folder, name)).isFile())
        expect(readFileSync(join(folder, name)).includes('secret')).toBe(false);
  });

  it('that cannot be one is refused without being shown', async () => {
    vi.stubEnv('HF_TOKEN', 'secret\nsecret');
    const failure = await failureOf(get());
    expect(failure).toMatchObject({ code: 'config', message: expect.stringContaining('HF_TOKEN is not a token') });
    expect(failure?.message).not.toContain('secret');
  });
});

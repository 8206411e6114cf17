/** The software driver from npm: whose files are loaded, what replaces a damaged one, and where it can be opened. */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { createTar } from 'nanotar';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { bundle } from '../../scripts/bundle.mjs';
import { makeCacheFolder } from '../../src/gpu/cacheFolder.node.ts';
import { findSwiftShaderBundle, placeSwiftShader } from '../../src/gpu/swiftshader.node.ts';
import { needs } from '../support/needs.ts';

const packed = findSwiftShaderBundle();
const webgpu = dirname(createRequire(import.meta.url).resolve('webgpu'));
const isRoot = process.geteuid?.() === 0;
const stranger = 65_534;

const top = mkdtempSync(join(tmpdir(), 'proxmo-driver-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());
let count = 0;
/** A name in a folder of the test's own, for a cache that is not there yet. */
const newCache = () => join(top, `cache ${count++}`);

const modeOf = (path: string) => lstatSync(path).mode & 0o7777;

describe('the cache folder', () => {
  it('is made for this user alone', () => {
    const cache = newCache();
    vi.stubEnv('PROXMO_CACHE', cache);
    expect(makeCacheFolder()).toBe(cache);
    expect(modeOf(cache)).toBe(0o700);
  });

  it('is refused where others can write to it and it was named', () => {
    const cache = newCache();
    mkdirSync(cache);
    chmodSync(cache, 0o777);
    vi.stubEnv('PROXMO_CACHE', cache);
    expect(makeCacheFolder).toThrow(
      expect.objectContaining({
        code: 'file',
        message: `There is no folder for the cache: ${cache} can be written by other users (chmod go-w takes that from them). Name one of your own as PROXMO_CACHE.`,
      }),
    );
  });

  it('is taken from others where it is the usual one', () => {
    const home = newCache();
    mkdirSync(join(home, 'proxmo'), { recursive: true });
    chmodSync(join(home, 'proxmo'), 0o775);
    vi.stubEnv('PROXMO_CACHE', '');
    vi.stubEnv('XDG_CACHE_HOME', home);
    expect(makeCacheFolder()).toBe(join(home, 'proxmo'));
    expect(modeOf(join(home, 'proxmo'))).toBe(0o700);
  });

  it('is refused below a folder where everybody can rename it', () => {
    const open = newCache();
    mkdirSync(open);
    chmodSync(open, 0o777);
    vi.stubEnv('PROXMO_CACHE', join(open, 'mine'));
    expect(makeCacheFolder).toThrow(`${join(open, 'mine')} lies in ${open}, which everybody can write`);
    chmodSync(open, 0o1777);
    expect(makeCacheFolder()).toBe(join(open, 'mine'));
  });

  describe('with other users', needs('root', isRoot), () => {
    /** A home that cannot be used, and a temporary folder for all. */
    function sharedTemporary(): string {
      const [file, shared] = [newCache(), newCache()];
      writeFileSync(file, '');
      mkdirSync(shared);
      chmodSync(shared, 0o1777);
      vi.stubEnv('PROXMO_CACHE', '');
      vi.stubEnv('XDG_CACHE_HOME', file);
      vi.stubEnv('TMPDIR', shared);
      return join(shared, 'proxmo-0');
    }

    it('is one of its own in the temporary folder where there is no home', () => {
      const place = sharedTemporary();
      expect(makeCacheFolder()).toBe(place);
      expect(modeOf(place)).toBe(0o700);
    });

    it('is none that another user made there', () => {
      const place = sharedTemporary();
      mkdirSync(place);
      chownSync(place, stranger, stranger);
      expect(makeCacheFolder).toThrow(`${place} belongs to another user.`);
    });

    it('is none that another user left a link to', () => {
      const [place, target] = [sharedTemporary(), newCache()];
      mkdirSync(target);
      symlinkSync(target, place);
      lchownSync(place, stranger, stranger);
      expect(makeCacheFolder).toThrow(`${place} belongs to another user.`);
      lchownSync(place, 0, 0);
      expect(makeCacheFolder()).toBe(place);
    });
  });
});

describe('the copy of Dawn with SwiftShader', needs('@sparticuz/chromium', packed), () => {
  const place = () => placeSwiftShader(packed!, webgpu);
  const driverOf = (entry: string) => join(dirname(entry), 'dist', 'linux-x64', 'libvulkan.so.1');
  const cache = newCache();
  let content: Buffer;

  beforeEach(() => {
    vi.stubEnv('PROXMO_CACHE', cache);
  });
  beforeAll(async () => {
    vi.stubEnv('PROXMO_CACHE', cache);
    content = readFileSync(driverOf(await place()));
  });

  it('lies in folders of this user alone', async () => {
    const entry = await place();
    for (const folder of [dirname(entry), dirname(driverOf(entry))]) expect(modeOf(folder)).toBe(0o700);
    expect(content.subarray(1, 4).toString()).toBe('ELF');
  });

  it.each<[string, (driver: string) => void]>([
    ['cut off', (driver) => truncateSync(driver, 1000)],
    ['another library', (driver) => writeFileSync(driver, 'another library')],
    ['away', (driver) => rmSync(driver)],
    ['without its hash', (driver) => rmSync(`${driver}.sha256`)],
    [
      'a link',
      (driver) => {
        rmSync(driver);
        symlinkSync('/etc/passwd', driver);
      },
    ],
  ])('is made again where the driver is %s', async (_, damage) => {
    const driver = driverOf(await place());
    damage(driver);
    await place();
    expect(lstatSync(driver).isFile()).toBe(true);
    expect(readFileSync(driver).equals(content)).toBe(true);
  });

  it.each(['index.js', 'package.json', join('dist', 'linux-x64', 'dawn.node')])(
    'is made again where %s is not as in the package',
    async (name) => {
      const file = join(dirname(await place()), name);
      writeFileSync(file, 'throw new Error("loaded");');
      await place();
      expect(readFileSync(file).equals(readFileSync(join(webgpu, name)))).toBe(true);
    },
  );

  it("is not made from another user's files", needs('root', isRoot), async () => {
    const driver = driverOf(await place());
    chownSync(driver, stranger, stranger);
    await place();
    expect(lstatSync(driver).uid).toBe(0);
    chownSync(dirname(driver), stranger, stranger);
    await expect(place()).rejects.toMatchObject({ code: 'file', message: /dist\/linux-x64 belongs to another user/ });
  });
});

describe('opening SwiftShader', needs('@sparticuz/chromium', packed), () => {
  const library = bundle(join(import.meta.dirname, '..', '..', 'src', 'node.ts'));

  /** What a program prints, with the library as `proxmo`. */
  async function run(program: string, cache: string): Promise<string> {
    const text = `const proxmo = ${JSON.stringify(await library)};\n${program}`;
    const env = { ...process.env, PROXMO_CACHE: cache, PROXMO_ADAPTER: '' };
    return (await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', text], { env })).stdout;
  }

  it('works in a worker thread, whatever else is open', async () => {
    const worker = `
      import { parentPort, workerData } from 'node:worker_threads';
      import(workerData.proxmo)
        .then(({ openDevice }) => openDevice(workerData.adapter, { inWorker: true }))
        .then(({ adapter }) => parentPort.postMessage(adapter.profile.driver), (error) => parentPort.postMessage(error.code));`;
    const program = `
      import { Worker } from 'node:worker_threads';
      const open = (adapter) => new Promise((resolve) =>
        new Worker(${JSON.stringify(worker)}, { eval: true, workerData: { proxmo, adapter } }).once('message', resolve));
      const { openDevice } = await import(proxmo);
      const own = await open('swiftshader');
      await openDevice('lavapipe').catch(() => null);
      const main = (await openDevice('swiftshader')).adapter.profile.driver;
      const others = await Promise.all(['swiftshader', 'lavapipe', 'swiftshader'].map(open));
      console.log(JSON.stringify([own, main, others]));
      process.exit(0);`;
    const [own, main, [first, system, last]] = JSON.parse(await run(program, newCache()));
    expect([own, main, first, last]).toEqual(Array(4).fill('swiftshader'));
    expect(['lavapipe', 'no-device']).toContain(system);
  });

  it('works in several processes that find no driver, or a damaged one, at the same time', async () => {
    const program = `
      const { openDevice } = await import(proxmo);
      console.log((await openDevice('swiftshader')).adapter.profile.driver);
      process.exit(0);`;
    const cache = newCache();
    const several = () => Promise.all([0, 1, 2].map(() => run(program, cache)));
    expect(await several()).toEqual(Array(3).fill('swiftshader\n'));
    const [folder = ''] = readdirSync(cache);
    for (const name of ['dawn.node', 'libvulkan.so.1'])
      truncateSync(join(cache, folder, 'dist', 'linux-x64', name), 4096);
    expect(await several()).toEqual(Array(3).fill('swiftshader\n'));
    expect(readdirSync(join(cache, folder, 'dist', 'linux-x64')).sort()).toEqual([
      'dawn.node',
      'libvulkan.so.1',
      'libvulkan.so.1.sha256',
    ]);
  });

  it('says what opens instead, and why, where its library cannot be loaded', async () => {
    const app = newCache();
    const modules = join(app, 'node_modules');
    const own = join(import.meta.dirname, '..', '..', 'node_modules');
    mkdirSync(join(modules, '@sparticuz', 'chromium', 'bin'), { recursive: true });
    for (const name of readdirSync(own))
      if (name !== '@sparticuz' && !name.startsWith('.')) symlinkSync(join(own, name), join(modules, name));
    const chromium = join(modules, '@sparticuz', 'chromium');
    writeFileSync(join(chromium, 'package.json'), JSON.stringify({ name: '@sparticuz/chromium', main: 'index.js' }));
    writeFileSync(join(chromium, 'index.js'), '');
    const broken = createTar([{ name: 'libvk_swiftshader.so', data: 'no library' }]);
    writeFileSync(join(chromium, 'bin', 'swiftshader.tar.br'), brotliCompressSync(broken));
    cpSync(dirname(await library), app, { recursive: true });
    const program = `
      const { openDevice } = await import(${JSON.stringify(join(app, basename(await library)))});
      await openDevice('swiftshader').catch(({ code, message }) => console.log(code, message));
      process.exit(0);`;
    expect(await run(program, newCache())).toMatch(
      /^no-device SwiftShader was asked for, but (llvmpipe\S+|\S+|nothing) opens, because .*libvulkan\.so\.1: .*; install .*\n$/,
    );
  });
});

/** `proxmo env fetch`, from a server on the loopback address. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gameText, TINY_GAMES } from '../envs/alfworld/tinyGames.ts';
import { proxmo, shell } from '../support/cli.ts';
import { type ServedFile, serve } from '../support/fileServer.ts';
import { needsData, sharedData } from '../support/sharedData.ts';
import { type ZipEntry, zipOf } from '../support/zip.ts';

let folder: string;
/** Where the commands look for data of the user: nowhere else. */
let env: Record<string, string>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'proxmo-fetch-'));
  env = { HOME: folder, XDG_DATA_HOME: join(folder, 'share'), LOCALAPPDATA: join(folder, 'share'), ALFWORLD_DATA: '' };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tinyEntries: ZipEntry[] = TINY_GAMES.map((game) => ({
  name: `json_2.1.1/${game.split}/${game.id}/game.tw-pddl`,
  content: gameText(game),
}));
/** Something that takes long to send and to unpack, and that no game needs. */
const ballast: ZipEntry = {
  name: 'json_2.1.1/train/pick_and_place_simple-A-None-B-1/trial_9/traj_data.json',
  content: Buffer.from(Uint32Array.from({ length: 500_000 }, (_, i) => Math.imul(i, 2654435761)).buffer),
};
const archive = zipOf([...tinyEntries, ballast]);
const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function fetchFrom(served: Partial<ServedFile> & { content: Buffer }, more: readonly string[] = []) {
  const { url, ranges } = await serve(served);
  const args = ['env', 'fetch', 'alfworld', '--from', url, '--sha256', hashOf(served.content), ...more];
  return { url, ranges, args, result: await proxmo(args, { env }) };
}

const target = () => join(folder, 'share', 'proxmo', 'alfworld');
const counts = 'train 2, valid_seen 1, valid_unseen 1, valid_train 0 tasks';

describe('the games', () => {
  it('are fetched to where the task set finds them by itself', async () => {
    const before = await proxmo(['env', 'check', 'alfworld', '--tasks', '1'], { env });
    expect(before.stderr).toMatch(/ALFWorld's games are not at .*share.*; fetch them with proxmo env fetch alfworld/);
    const { result, args, ranges } = await fetchFrom({ content: archive, etag: '"1"' });
    expect(result).toEqual({
      code: 0,
      stdout: `alfworld is in ${target()}: ${counts}\nproxmo train --env alfworld\n`,
      stderr: expect.stringMatching(/^downloading .* of 2\.\d MB \| .*\n(.*\n)*unpacking 0 of 6 files/),
    });
    // No archive, lock or part is left, and of the archive only games were unpacked.
    expect(readdirSync(target())).toEqual(['json_2.1.1']);
    expect(readdirSync(join(target(), 'json_2.1.1', 'train'))).not.toContain('pick_and_place_simple-A-None-B-1');
    expect((await proxmo(['env', 'check', 'alfworld', '--tasks', '1'], { env })).code).toBe(0);
    const again = await proxmo(args, { env });
    expect(again.stdout).toMatch(/^alfworld was in .* already \(--force fetches it again\): train 2/);
    expect(ranges.length).toBe(1);
  });

  it('replace what is there with --force, and what is there stays where that fails', async () => {
    await fetchFrom({ content: archive });
    const one = zipOf(tinyEntries.slice(0, 1));
    const forced = await fetchFrom({ content: one }, ['--force', '--json']);
    expect(JSON.parse(forced.result.stdout)).toEqual({
      folder: target(),
      isNew: true,
      tasks: { train: 1, valid_seen: 0, valid_unseen: 0, valid_train: 0 },
    });
    const failed = await fetchFrom({ content: zipOf([{ name: 'readme.txt', content: 'no games' }]) }, ['--force']);
    expect(failed.result.code).toBe(1);
    expect(failed.result.stderr).toMatch(/proxmo: .*json_2\.1\.3_tw-pddl\.zip holds no games \(json_2\.1\.1\/<split>/);
    expect(readdirSync(join(target(), 'json_2.1.1'))).toEqual(['train']);
  });

  it('come from a file that is there already, which stays, into a folder that is named', async () => {
    const file = join(folder, 'mine.zip');
    writeFileSync(file, archive);
    const to = join(folder, 'games here');
    const args = ['env', 'fetch', 'alfworld', '--from', file, '--to', to];
    const { code, stdout } = await proxmo([...args, '--sha256', hashOf(archive)], { env });
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `alfworld is in ${to}: ${counts}\nproxmo train --env alfworld --set 'environment.options.data=${to}'\n`,
    });
    expect(existsSync(file)).toBe(true);
    const option = `data=${to}`;
    expect((await proxmo(['env', 'check', 'alfworld', '--tasks', '1', '--option', option], { env })).code).toBe(0);
  });

  it('of the original layout are played', needsData(sharedData('alfworld-games/samples')), async () => {
    const samples = sharedData('alfworld-games/samples');
    const names = readdirSync(samples, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(samples.length + 1));
    const content = zipOf(names.map((name) => ({ name, content: readFileSync(join(samples, name)) })));
    const { result } = await fetchFrom({ content });
    expect(result.stdout).toContain('train 0, valid_seen 0, valid_unseen 12, valid_train 0 tasks');
    const play = ['env', 'play', 'alfworld', '--split', 'unseen'];
    const played = await proxmo(play, { env, input: 'look\n\n' });
    expect(played.stdout).toMatch(/You are in the middle of a room|Welcome to TextWorld/);
  });
});

describe('a fetch that breaks off', () => {
  it.each(['SIGKILL', 'SIGINT'] as const)('by %s leaves nothing that looks whole, and goes on', async (signal) => {
    const { url, ranges } = await serve({ content: archive, etag: '"1"', slow: 40 });
    const args = ['env', 'fetch', 'alfworld', '--from', url, '--sha256', hashOf(archive)];
    const part = join(target(), 'json_2.1.3_tw-pddl.zip.part');
    const killed = await proxmo(args, {
      env,
      onStart: async (child) => {
        while (!existsSync(part) || readFileSync(part).length < 100_000) await sleep(5);
        child.kill(signal);
      },
    });
    expect(killed.code).not.toBe(0);
    expect(existsSync(join(target(), 'json_2.1.1'))).toBe(false);
    const { stdout } = await proxmo(args, { env });
    expect(stdout).toContain(counts);
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=\d{6,}-$/)]);
    expect(readdirSync(target())).toEqual(['json_2.1.1']);
  });

  it('while it unpacks leaves nothing that looks whole, and unpacks again what has arrived', async () => {
    const many = Array.from({ length: 3000 }, (_, i) => ({
      ...tinyEntries[0]!,
      name: `json_2.1.1/train/pick_and_place_simple-Mug-None-Cabinet-1/trial_${i}/game.tw-pddl`,
    }));
    const { url, ranges } = await serve({ content: zipOf(many) });
    const args = ['env', 'fetch', 'alfworld', '--from', url, '--sha256', hashOf(zipOf(many))];
    await proxmo(args, {
      env,
      onStart: async (child) => {
        const unpacked = () =>
          existsSync(target()) && readdirSync(target()).some((name) => name.includes('.json_2.1.1.'));
        while (!unpacked()) await sleep(5);
        child.kill('SIGKILL');
      },
    });
    expect(existsSync(join(target(), 'json_2.1.1'))).toBe(false);
    const check = await proxmo(['env', 'check', 'alfworld'], { env });
    expect(check.stderr).toContain("ALFWorld's games are not at");
    expect((await proxmo(args, { env })).stdout).toContain('train 3000');
    expect(ranges.length).toBe(1);
    expect(readdirSync(target())).toEqual(['json_2.1.1']);
  });
});

describe('refused is', () => {
  it('another archive than the release, and one that is cut short', async () => {
    const { url } = await serve({ content: archive });
    const other = await proxmo(['env', 'fetch', 'alfworld', '--from', url], { env });
    expect(other.code).toBe(1);
    expect(other.stderr.trim()).toMatch(
      /^proxmo: http.* is not the file that was expected: it has \d+ bytes instead of 36507267; name a mirror, or the archive if you have it, with --from; another one needs its --sha256\.$/,
    );
    const file = join(folder, 'cut.zip');
    writeFileSync(file, archive.subarray(0, 1000));
    const cut = await proxmo(['env', 'fetch', 'alfworld', '--from', file], { env });
    expect(cut.stderr.trim()).toMatch(
      /^proxmo: .*cut\.zip is not ALFWorld's .*: it is cut short, 1000 of 36507267 bytes;/,
    );
    const named = await fetchFrom({ content: archive.subarray(0, 100_000) });
    expect(named.result.code).toBe(1);
    expect(named.result.stderr).toMatch(/cannot be unpacked: it is cut short, or no zip archive; fetch it again\.\n$/);
    expect(existsSync(join(target(), 'json_2.1.1'))).toBe(false);
  });

  it('an archive with paths that lead out of the folder', async () => {
    const { result } = await fetchFrom({ content: zipOf([...tinyEntries, { name: '../../evil', content: 'x' }]) });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/is not unpacked: invalid relative path: \.\.\/\.\.\/evil; get it from where/);
    expect(existsSync(join(target(), 'json_2.1.1'))).toBe(false);
  });

  it('a wrong name, hash or address', async () => {
    const run = async (...args: string[]) => (await proxmo(['env', 'fetch', ...args], { env })).stderr.trim();
    expect(await run('alfwrld')).toBe(
      'proxmo: There is no environment to fetch alfwrld (did you mean alfworld?); choose one of alfworld.',
    );
    expect(await run('household')).toBe('proxmo: The data of household cannot be fetched (generated); alfworld can.');
    expect(await run('alfworld', '--sha256', 'abc')).toContain('It must be 64 hexadecimal digits.');
    expect(await run('alfworld', '--from', join(folder, 'none.zip'))).toMatch(/none\.zip .*: it is not there; name/);
  });

  it('a disk that takes no more', async () => {
    const { url } = await serve({ content: archive });
    // No file larger than this many blocks of 1024 bytes.
    const { code, stderr } = await shell(
      `trap '' XFSZ; ulimit -f 500; proxmo env fetch alfworld --from ${url} --sha256 ${hashOf(archive)}`,
      { env },
    );
    expect(code).toBe(1);
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      /^proxmo: .*json_2\.1\.3_tw-pddl\.zip cannot be written: the file would be too large \(EFBIG\); what has arrived is kept\.$/,
    );
    expect(existsSync(join(target(), 'json_2.1.1'))).toBe(false);
  });
});

/** The server of `proxmo view`: who may read what, and how it follows a run that grows, is cut, or lies. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { RolloutIndex } from '../../src/rl/credit/record.ts';
import type { MetricsChange, ProgressChange, RunInfo } from '../../src/view/protocol.ts';
import { openFolders } from '../../src/view/server/openFolders.node.ts';
import { RunFolder } from '../../src/view/server/runFolder.node.ts';
import { serveRuns, type ViewServer } from '../../src/view/server/server.node.ts';
import { holdRun, trainRecord, writeProgress, writeRun } from '../support/viewRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-view-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const servers: ViewServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

let count = 0;
const newRun = (options = {}) => writeRun(join(folder, `run-${count++}`), options);

async function serve(...dirs: string[]): Promise<string> {
  const server = await serveRuns(dirs.map((dir, index) => new RunFolder(String(index), dir)));
  servers.push(server);
  return server.address;
}

/** A request as it stands: `fetch` would tidy its path and set its own Host. */
function raw(address: string, { path = '', method = 'GET', headers = {} } = {}) {
  const url = new URL(address);
  const options = { host: url.hostname, port: url.port, path: path || url.pathname, method, headers };
  return new Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
    request(options, (response) => {
      let text = '';
      response.on('data', (piece) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode!, text, headers: response.headers }));
    })
      .on('error', reject)
      .end();
  });
}

/** Events of the server until one is there that is waited for. */
async function events(address: string, isLast: (kind: string, data: unknown) => boolean, onEvent = () => {}) {
  const stop = new AbortController();
  const response = await fetch(`${address}events`, { signal: stop.signal });
  let text = '';
  const seen: { kind: string; data: unknown }[] = [];
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  while (true) {
    const { value } = await reader.read();
    text += value;
    const whole = text.split('\n\n');
    text = whole.pop()!;
    for (const each of whole) {
      const match = /^event: (.*)\ndata: (.*)$/.exec(each);
      if (!match) continue;
      const event = { kind: match[1]!, data: JSON.parse(match[2]!) };
      seen.push(event);
      if (event.kind === 'ready') onEvent();
      if (!isLast(event.kind, event.data)) continue;
      stop.abort();
      return seen;
    }
  }
}

const metricsOf = (seen: readonly { kind: string; data: unknown }[]) =>
  seen.filter(({ kind }) => kind === 'metrics').map(({ data }) => data as MetricsChange);

describe('who may read', () => {
  it('gives the page to the address with its token, and forbids it all but itself', async () => {
    const { status, text, headers } = await raw(await serve(await newRun()));
    expect(status).toBe(200);
    expect(text).toContain('page.js');
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers['content-security-policy']).not.toContain('unsafe');
    expect(headers['referrer-policy']).toBe('no-referrer');
  });

  it.each(['/', '/events', '/runs/0/training/1', '/page.js', `/${'A'.repeat(32)}/`])(
    'refuses %s, which lacks the token',
    async (path) => {
      const { status, text } = await raw(await serve(await newRun()), { path });
      expect(status).toBe(403);
      expect(text).toMatch(/lacks its token/);
    },
  );

  it('refuses another host’s name, by which a page elsewhere could reach it', async () => {
    const address = await serve(await newRun());
    for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example:1'])
      expect((await raw(address, { headers: { Host: host } })).status, host).toBe(403);
    for (const host of ['localhost:8080', '127.0.0.1', '[::1]:80'])
      expect((await raw(address, { headers: { Host: host } })).status, host).toBe(200);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('refuses %s', async (method) => {
    expect((await raw(await serve(await newRun()), { method })).status).toBe(405);
  });

  it('listens on the loopback address alone', async () => {
    expect(new URL(await serve(await newRun())).hostname).toBe('127.0.0.1');
  });

  it('says in a sentence that a port is taken', async () => {
    const port = Number(new URL(await serve(await newRun())).port);
    await expect(serveRuns([], port)).rejects.toThrow(/Port \d+ cannot be had: another program uses it/);
  });
});

describe('what may be read', () => {
  it('gives rows of an iteration, and nothing of a name of the reader’s choice', async () => {
    const address = await serve(await newRun());
    const at = (path: string) => raw(address, { path: new URL(address).pathname + path });
    const index = JSON.parse((await at('runs/0/training/2')).text) as RolloutIndex;
    expect(index).toMatchObject({ iteration: 2, levels: { advantage: { length: 80 } } });
    const { offset, bytes } = index.groups[1]!.rows!;
    const rows = (await at(`runs/0/training/2/${offset}-${offset + bytes}`)).text.trimEnd().split('\n');
    expect(rows.map((row) => JSON.parse(row).trajectory)).toContain('episode-4');
    expect(rows).toHaveLength(20);
    expect((await at('runs/0/training/2/rows')).text.trimEnd().split('\n')).toHaveLength(80);
    const heldOut = JSON.parse((await at('runs/0/held-out/3')).text);
    expect([heldOut.iteration, heldOut.groups.length, heldOut.levels]).toEqual([3, 4, undefined]);
    expect((await at('runs/0/held-out/3/rows')).text).not.toMatch(/advantage/);
    for (const path of [
      'runs/0/training/99',
      'runs/0/held-out/2',
      'runs/1/training/1',
      'runs/0/training/2/rows/1',
      'runs/0/training/..%2f..%2frun.json',
      'runs/0/training/../../run.json',
      'runs/0/run.json',
      'runs/../run.json',
      'runs/__proto__/training/1',
      '../run.json',
    ])
      expect([404, 403], path).toContain((await at(path)).status);
  });

  it('says in a sentence that rows are damaged', async () => {
    const dir = await newRun({ iterations: 1 });
    writeFileSync(join(dir, 'rollouts', '000001.jsonl.gz'), 'no gzip');
    writeFileSync(join(dir, 'rollouts', '000002.index.json'), '{"format": "another"}');
    const address = await serve(dir);
    expect(await raw(`${address}runs/0/training/1/rows`)).toMatchObject({
      status: 500,
      text: expect.stringMatching(/000001.jsonl.gz is no gzip at byte 0, .*it is damaged/),
    });
    expect(await raw(`${address}runs/0/training/1/0-99999999`)).toMatchObject({
      status: 500,
      text: expect.stringMatching(/shorter than its index says/),
    });
    expect(await raw(`${address}runs/0/training/2`)).toMatchObject({
      status: 500,
      text: expect.stringMatching(/000002.index.json/),
    });
  });

  it('follows no link out of the folder, and waits for no pipe', async () => {
    const secret = join(folder, 'secret.jsonl');
    writeFileSync(secret, '{"secret": true}\n');
    const dir = await newRun({ iterations: 1 });
    symlinkSync(secret, join(dir, 'rollouts', '000002.index.json'));
    execFileSync('mkfifo', [join(dir, 'rollouts', '000003.index.json')]);
    rmSync(join(dir, 'metrics.jsonl'));
    symlinkSync(secret, join(dir, 'metrics.jsonl'));
    mkdirSync(join(folder, 'elsewhere'), { recursive: true });
    writeFileSync(join(folder, 'elsewhere', 'profile.json'), '{}');
    symlinkSync(join(folder, 'elsewhere'), join(dir, 'profile'));
    const address = await serve(dir);
    for (const path of ['training/2', 'training/3', 'profile']) {
      const { status, text } = await raw(`${address}runs/0/${path}`);
      expect([status, text], path).toEqual([404, 'The run has no such file.\n']);
    }
    const seen = await events(address, (kind) => kind === 'ready');
    expect(JSON.stringify(seen)).not.toContain('secret');
    expect((seen[0]!.data as RunInfo[])[0]!.profile).toBeNull();
  });
});

describe('how it follows runs', () => {
  const infoOf = async (dir: string) =>
    ((await events(await serve(dir), (kind) => kind === 'runs'))[0]!.data as RunInfo[])[0]!;

  it('tells what was written, then what is added, without half lines', async () => {
    const dir = await newRun({ isFinished: false });
    const path = join(dir, 'metrics.jsonl');
    const half = trainRecord(5);
    appendFileSync(path, half.slice(0, 20));
    const address = await serve(dir);
    const seen = await events(
      address,
      (_, data) => (data as MetricsChange).records?.some(({ iteration }) => iteration === 5),
      () => appendFileSync(path, half.slice(20)),
    );
    const changes = metricsOf(seen);
    expect(changes.map(({ isReset, records }) => [isReset, records.length])).toEqual([
      [true, 4],
      [false, 1],
    ]);
  });

  it('begins again where a resumed run has cut its metrics and written others', async () => {
    const dir = await newRun({ isFinished: false });
    const path = join(dir, 'metrics.jsonl');
    const other = [1, 2, 3, 4, 5, 6].map((iteration) => trainRecord(iteration, { kl: 0.5 })).join('');
    const seen = await events(
      await serve(dir),
      (_, data) => (data as MetricsChange).records?.[0]?.kl === 0.5,
      () => writeFileSync(path, other),
    );
    expect(metricsOf(seen).at(-1)).toMatchObject({ isReset: true, badLines: 0 });
    expect(metricsOf(seen).at(-1)!.records).toHaveLength(6);
  });

  it('counts damaged lines and goes on', async () => {
    const dir = await newRun({ isFinished: false });
    appendFileSync(join(dir, 'metrics.jsonl'), `{"kind": 3}\nno json ${'x'.repeat(1 << 20)}\n${trainRecord(4)}`);
    const changes = metricsOf(await events(await serve(dir), (kind) => kind === 'ready'));
    expect(changes[0]).toMatchObject({ badLines: 2 });
    expect(changes[0]!.records.at(-1)!.iteration).toBe(4);
  });

  it('tells running, finished, stopped, failed and crashed runs apart', async () => {
    const finished = await newRun();
    expect(await infoOf(finished)).toMatchObject({ state: 'finished', seed: 1, rollouts: [1, 2, 3], problem: null });
    const running = await newRun({ isFinished: false });
    holdRun(running, hostname());
    expect((await infoOf(running)).state).toBe('running');
    const crashed = await newRun({ isFinished: false });
    writeFileSync(join(crashed, 'run.lock'), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), processStarted: 0 }));
    expect((await infoOf(crashed)).state).toBe('ended');
    const failed = await newRun({ isFinished: false });
    appendFileSync(join(failed, 'run.log'), '2026-01-01T00:00:00.000Z ended by an error: No.\n');
    expect(await infoOf(failed)).toMatchObject({ state: 'failed' });
    const stopped = await newRun({ isFinished: false });
    appendFileSync(join(stopped, 'run.log'), '2026-01-01T00:00:00.000Z stopped: Saved.\n');
    expect((await infoOf(stopped)).state).toBe('stopped');
  });

  it('tells what a run does at the moment, and that it says no more', async () => {
    const dir = await newRun({ isFinished: false });
    writeProgress(dir, { phase: 'update', done: 0.25 });
    const progressOf = (data: unknown) => (data as ProgressChange).progress;
    const seen = await events(
      await serve(dir),
      (kind, data) => kind === 'progress' && progressOf(data) === null,
      () => rmSync(join(dir, 'progress.json')),
    );
    const told = seen.filter(({ kind }) => kind === 'progress').map(({ data }) => progressOf(data));
    expect(told).toEqual([expect.objectContaining({ phase: 'update', done: 0.25, iteration: 3 }), null]);
  });

  it.each(['{"phase": "upd', '{"phase": "update", "done": 9}', '[]'])(
    'takes no word of progress from %s',
    async (text) => {
      const dir = await newRun({ isFinished: false });
      writeFileSync(join(dir, 'progress.json'), text);
      const seen = await events(await serve(dir), (kind) => kind === 'ready');
      expect(seen.find(({ kind }) => kind === 'progress')!.data).toEqual({ run: '0', progress: null });
    },
  );

  it('tells pages that are open how a run ended before it closes', async () => {
    const dir = await newRun({ isFinished: false });
    holdRun(dir, hostname());
    const address = await serve(dir);
    const states: string[] = [];
    await events(
      address,
      (kind, data) => {
        if (kind === 'runs') states.push((data as RunInfo[])[0]!.state);
        return states.at(-1) === 'finished';
      },
      () => {
        writeFileSync(join(dir, 'summary.json'), '{}');
        rmSync(join(dir, 'run.lock'));
        void servers.pop()!.close();
      },
    );
    expect(states).toEqual(['running', 'finished']);
  });

  it('says of a damaged folder what is damaged, and shows the rest', async () => {
    const dir = await newRun();
    writeFileSync(join(dir, 'config.yaml'), 'a: [');
    writeFileSync(join(dir, 'summary.json'), '[]');
    expect(await infoOf(dir)).toMatchObject({ rollouts: [1, 2, 3], problem: expect.stringMatching(/config\.yaml/) });
  });

  it('waits for a folder that is not there yet', async () => {
    const dir = join(folder, 'later');
    const seen = await events(
      await serve(dir),
      (kind, data) => kind === 'runs' && (data as RunInfo[])[0]!.state === 'finished',
      () => void writeRun(dir),
    );
    expect((seen[0]!.data as RunInfo[])[0]!.state).toBe('waiting');
  });

  it('opens the runs of a study, and none outside it', async () => {
    const study = join(folder, 'study');
    await writeRun(join(study, 'grpo', 'seed-2'));
    const arms = [{ name: 'grpo' }, { name: '..' }, { name: '../run-0' }];
    writeFileSync(join(study, 'study.json'), JSON.stringify({ format: 'proxmo-study', seeds: [2, 3], arms }));
    const runs = await openFolders([study, 'elsewhere']);
    expect(runs.map(({ id, dir }) => [id, dir])).toEqual([
      ['0', join(study, 'grpo', 'seed-2')],
      ['1', join(study, 'grpo', 'seed-3')],
      ['2', 'elsewhere'],
    ]);
    expect(await runs[0]!.describe()).toMatchObject({ name: 'grpo / seed 2', state: 'finished' });
  });
});

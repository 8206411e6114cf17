/** `proxmo profile -- node script.mjs`: where any program that uses the library spends its time on the device. */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ProxmoError } from '../../base/errors.ts';
import { systemReason } from '../../base/systemErrors.node.ts';
import { profileVariable, type RecordedDevice, type RecordedLine } from '../../gpu/runRecorder.node.ts';
import type { Output } from '../output.ts';
import { stopSignals } from '../stopSignals.ts';
import { ProfileRecord } from './record.ts';

/** What a program's runs belong to, as a training run's belong to rollouts, updates, … */
const phase = 'program';

/** Whether words name a program to start, rather than options of `proxmo train` or its configuration file. */
export function isProgram([first]: readonly string[]): boolean {
  return first !== undefined && !first.startsWith('-') && !/\.ya?ml$/.test(first);
}

/**
 * Runs a program, and writes the profile of each device that it opened.
 * @param out folder of the profile; of several, each has one within it
 * @throws {ProxmoError} `usage` if it cannot be started, `data` if it opened no device or ended with an error
 */
export async function profileProgram(words: readonly string[], out: string, output: Output): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'proxmo-profile-'));
  try {
    const ended = await run(words, folder);
    const names = (await readdir(folder)).sort();
    const records = [];
    for (const name of names) records.push(await readRecorded(join(folder, name), words.join(' ')));
    const used = records.filter((record) => record !== null);
    for (const [index, record] of used.entries())
      await record.write(used.length > 1 ? join(out, `device-${index + 1}`) : out, output);
    if (ended !== null) throw new ProxmoError('data', `${words.join(' ')} ended with ${ended}.`);
    if (used.length === 0)
      throw new ProxmoError(
        'data',
        `${words.join(' ')} opened no device by openDevice() of proxmo/node, so there is nothing to profile.`,
      );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns null if it ended well, or how it ended */
function run([program = '', ...rest]: readonly string[], folder: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: 'inherit', env: { ...process.env, [profileVariable]: folder } });
    // Ctrl-C reaches the program itself, whose profile up to there is wanted.
    const pass = (signal: NodeJS.Signals) => void (signal === 'SIGINT' || child.kill(signal));
    for (const signal of stopSignals) process.on(signal, pass);
    child.once('error', (error) =>
      reject(
        new ProxmoError('usage', `${program} cannot be started: ${systemReason(error)}; name a program after --.`),
      ),
    );
    child.once('exit', (code, signal) => {
      for (const each of stopSignals) process.off(each, pass);
      const isStopped = signal === 'SIGINT' || code === 128 + constants.signals.SIGINT;
      resolve(code === 0 || isStopped ? null : signal === null ? `code ${code}` : signal);
    });
  });
}

/** What a device left; null where it ran nothing. A last line without its end is left out: the program was killed. */
async function readRecorded(path: string, title: string): Promise<ProfileRecord | null> {
  let record: ProfileRecord | null = null;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    const value = parsed(line);
    if (value === null) break;
    if (record === null) record = new ProfileRecord({ ...(value as RecordedDevice), title, phase });
    else if ('elapsed' in (value as RecordedLine)) record.end((value as { elapsed: number }).elapsed);
    else record.add(value as Exclude<RecordedLine, { elapsed: number }>);
  }
  return record?.isEmpty ? null : record;
}

function parsed(line: string): RecordedDevice | RecordedLine | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

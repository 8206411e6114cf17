/** `npm start`: builds if there is no build yet, then trains with the arguments given. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cli = join(root, 'dist', 'cli.js');

let child = null;
let isAsked = false;

/** Runs a file under Node. @returns its exit code; 128 + the signal's number where one ended it */
function run(...args) {
  return new Promise((resolve, reject) => {
    child = spawn(process.execPath, args, { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal ? 128 + constants.signals[signal] : code));
  });
}

/**
 * Training ends with a checkpoint when it is asked to stop, so the request is passed on and its end waited for. On
 * Windows the console tells every process itself, and `kill` would end it at once.
 */
function passOn(signal) {
  isAsked = true;
  if (process.platform !== 'win32') child?.kill(signal);
}

/** The process above, and the one above that where the first is the shell of npm, as far as the system tells. */
function above() {
  try {
    const [, name, next] = /\((.*)\) \S+ (\d+)/.exec(readFileSync(`/proc/${process.ppid}/stat`, 'utf8'));
    return /^(ba|da|z)?sh$/.test(name) ? `${process.ppid} ${next}` : `${process.ppid}`;
  } catch {
    return `${process.ppid}`;
  }
}

/** npm passes signals to its shell at most, which ends without a word to what it runs. */
function watchNpm() {
  const before = above();
  const watch = setInterval(() => {
    if (above() === before) return;
    clearInterval(watch);
    if (!isAsked) passOn('SIGTERM');
  }, 250);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, passOn);
if (process.env.npm_lifecycle_event !== undefined) watchNpm();

const built = existsSync(cli) ? 0 : await run(join(root, 'scripts', 'build.mjs'));
process.exit(built || (await run(cli, 'train', ...process.argv.slice(2))));

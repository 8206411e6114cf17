/** `npm start`: builds if there is no build yet, then trains with the arguments given. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cli = join(root, 'dist', 'cli.js');

function run(...args) {
  const { status, signal } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  return signal ? 130 : (status ?? 1);
}

// The child handles Ctrl-C itself: it ends with a checkpoint.
process.on('SIGINT', () => {});
const built = existsSync(cli) ? 0 : run(join(root, 'scripts', 'build.mjs'));
process.exit(built || run(cli, 'train', ...process.argv.slice(2)));

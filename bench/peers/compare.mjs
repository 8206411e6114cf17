/** Runs proxmo and every backend of gpu.js that works here, each in a process of its own, and prints one table. Options are passed on to proxmo. */
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const modes = ['gpu', 'async', 'headlessgl', 'webgpu', 'cpu'];

const ours = measure([join(root, 'scripts', 'run.mjs'), join(here, 'proxmo.ts'), ...process.argv.slice(2)], root);
if (!ours) throw new Error('proxmo could not be measured; run bench/peers/proxmo.ts to see why');
const peers = new Map(modes.map((mode) => [mode, measure([join(here, 'gpujs.mjs'), mode], here)]));

for (const own of ours) {
  const shape = Object.entries(own.shape).map(([name, value]) => `${name}=${value}`);
  console.log(`\n${own.name} ${shape.join(' ')}`);
  print(`proxmo on ${own.backend}`, own, own);
  for (const [mode, rows] of peers) {
    const row = rows?.find(({ name }) => name === own.name);
    if (row) print(`gpu.js, mode ${mode}${row.backend === mode ? '' : ` (${row.backend})`}`, row, own);
    else console.log(`  ${`gpu.js, mode ${mode}`.padEnd(44)} does not run here`);
  }
}

function print(label, { ms, checksum }, own) {
  const figures = `${ms.median.toFixed(2).padStart(10)} ms (${ms.min.toFixed(2)} to ${ms.max.toFixed(2)})`;
  const ratio = `${(ms.median / own.ms.median).toFixed(1)} x`;
  const differs = Math.abs(checksum - own.checksum) > 1e-3 * Math.abs(own.checksum);
  console.log(`  ${label.padEnd(44)} ${figures.padEnd(38)} ${ratio.padStart(8)}${differs ? '  ANOTHER RESULT' : ''}`);
}

/** The rows that a script prints; null where it fails. */
function measure(args, cwd) {
  try {
    return JSON.parse(execFileSync(process.execPath, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return null;
  }
}

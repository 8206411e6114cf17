/**
 * The table of peers for the machine at hand: `node table.mjs [adapter]`. Each library runs in a process of its own, one after the other, on the same adapter; a result that is
 * not right is marked. GFLOP/s for products, milliseconds for softmax and layer norm, tokens a second for the training step.
 */
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kernelCases } from './kernelCases.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const adapter = process.argv[2] ?? '';
const choice = adapter ? ['--adapter', adapter] : [];
const tokensPerStep = 8 * 128;

const runs = [
  ['proxmo', root, [join(root, 'scripts', 'run.mjs'), join(here, 'proxmoKernels.ts'), ...choice]],
  [
    'proxmo',
    root,
    [join(root, 'scripts', 'run.mjs'), join(root, 'src', 'cli', 'main.ts'), 'bench', '--json', '--filter', 'train-step', ...choice],
  ],
  ['jax-js', here, [join(here, 'jaxjs.mjs'), adapter]],
  ['jax-js', here, [join(here, 'jaxjsTrain.mjs'), adapter]],
  ['tfjs', here, [join(here, 'tfjs.mjs'), adapter]],
];

const rows = runs.flatMap(([library, cwd, args]) =>
  measure(args, cwd).map(({ name, ms, correct, check }) => ({
    library,
    name: name.replace(/^train-step.*/, 'training step'),
    ms,
    correct: correct ?? check !== 'wrong',
  })),
);
const columns = [...kernelCases.map(({ name, flops }) => ({ name, flops })), { name: 'training step', flops: 0 }];
console.log(`| | ${columns.map(({ name }) => name).join(' | ')} |`);
console.log(`|${'---|'.repeat(columns.length + 1)}`);
for (const library of new Set(rows.map((row) => row.library))) {
  const cells = columns.map((column) =>
    cellOf(
      column,
      rows.find((row) => row.library === library && row.name === column.name),
    ),
  );
  console.log(`| ${library} | ${cells.join(' | ')} |`);
}

function cellOf({ name, flops }, row) {
  if (!row) return '';
  if (!row.correct) return 'WRONG';
  const { median } = row.ms;
  if (name === 'training step') return `${((1000 * tokensPerStep) / median).toFixed(0)} tokens/s`;
  return flops > 0 ? `${(flops / median / 1e6).toFixed(1)} GFLOP/s` : `${median.toFixed(1)} ms`;
}

/** The rows that a script prints; none where it does not run here. */
function measure(args, cwd) {
  try {
    return JSON.parse(
      execFileSync(process.execPath, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 2 ** 26 }),
    );
  } catch {
    return [];
  }
}
